package dev.tarn.serving.lookup;

import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layer;
import dev.tarn.layer.Layers;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.redis.RowBatch;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.LongBinaryOperator;

/**
 * The entries of one request, view by view, layer by layer, id by id. It says which entries to
 * fetch and, once they are there, which row an entity has by the rule of {@link Layers}.
 */
final class FetchedRows {

  /** The least number of ids from which to estimate what all take. */
  private static final int SAMPLE_IDS = 16;

  private final List<ViewColumns> views;
  private final List<AskedId> ids;
  private final byte[][] rows;

  /** The index at which each view's rows begin, and at the end the number of all rows. */
  private final int[] begins;

  /** Tells for each row whether the near cache had it; null if it was not asked. */
  private boolean[] isNear;

  private NearCache.Key[] keys;
  private int missing;
  private long fetchedBytes;
  private Optional<Instant> staleSince = Optional.empty();

  private FetchedRows(List<ViewColumns> views, List<AskedId> ids, byte[][] rows, int[] begins) {
    this.views = views;
    this.ids = ids;
    this.rows = rows;
    this.begins = begins;
    missing = rows.length;
  }

  /** Lays out the rows to fetch; none is fetched yet. */
  static FetchedRows toFetch(Selection selection, List<AskedId> ids) {
    int[] begins = begins(selection.views(), ids);
    return new FetchedRows(selection.views(), ids, new byte[begins[begins.length - 1]][], begins);
  }

  /** Wraps rows that are there already. */
  static FetchedRows of(Selection selection, List<AskedId> ids, byte[][] rows) {
    return new FetchedRows(selection.views(), ids, rows, begins(selection.views(), ids));
  }

  private static int[] begins(List<ViewColumns> views, List<AskedId> ids) {
    int[] begins = new int[views.size() + 1];
    for (int v = 0; v < views.size(); v++) {
      begins[v + 1] = begins[v] + views.get(v).view().layers().count() * ids.size();
    }
    return begins;
  }

  /** Takes the rows that the near cache has, so that only the others are fetched. */
  void takeFrom(NearCache cache, Object redis) {
    keys = new NearCache.Key[rows.length];
    int next = 0;
    for (ViewColumns columns : views) {
      Layers layers = columns.view().layers();
      for (int l = 0; l < layers.count(); l++) {
        for (AskedId id : ids) {
          keys[next++] = new NearCache.Key(redis, layers.get(l), id.utf8());
        }
      }
    }
    isNear = cache.fill(keys, rows);
    missing = 0;
    for (boolean near : isNear) {
      missing += near ? 0 : 1;
    }
  }

  /** Notes that these rows may be stale: Redis can't be read since then. */
  void areStaleSince(Instant since) {
    staleSince = Optional.of(since);
  }

  Optional<Instant> staleSince() {
    return staleSince;
  }

  /** Gives the near cache the fetched rows that it did not have. */
  void giveTo(NearCache cache) {
    cache.put(keys, rows, isNear);
  }

  /** Returns the number of rows of all layers. */
  int size() {
    return rows.length;
  }

  /** Returns the number of rows to fetch. */
  int missing() {
    return missing;
  }

  /** Returns whether no row is left to fetch. */
  boolean isComplete() {
    return missing == 0;
  }

  /**
   * Makes the one batch that fetches all missing rows. It asks all layers at once, because asking
   * them one after the other would take a round trip for each.
   *
   * @param granted the bytes for which memory is taken
   * @param memory takes memory for more, see {@link RowBatch}
   */
  RowBatch batch(long granted, LongBinaryOperator memory) {
    RowBatch batch =
        new RowBatch(rows, missing, granted, memory, index -> isSample(index % ids.size()));
    int next = 0;
    for (ViewColumns columns : views) {
      Layers layers = columns.view().layers();
      for (int l = 0; l < layers.count(); l++) {
        Buckets buckets = layers.get(l).buckets();
        for (AskedId id : ids) {
          if (isNear == null || !isNear[next]) {
            batch.add(next, buckets.keyOf(id.utf8()), id.utf8());
          }
          next++;
        }
      }
    }
    return batch;
  }

  /** Returns whether the id is one of the few, of all that were asked for, that stand for all. */
  boolean isSample(int id) {
    return id % Math.max(1, ids.size() / SAMPLE_IDS) == 0;
  }

  /** Returns the bytes of the rows of all layers and views. */
  long bytes() {
    long bytes = 0;
    for (byte[] row : rows) {
      bytes += row == null ? 0 : row.length;
    }
    return bytes;
  }

  /** Notes the bytes of all rows that were fetched. */
  void fetched(long bytes) {
    fetchedBytes = bytes;
  }

  long fetchedBytes() {
    return fetchedBytes;
  }

  /** Returns the bytes of the rows that the near cache had. */
  long nearBytes() {
    long bytes = 0;
    for (int i = 0; isNear != null && i < rows.length; i++) {
      bytes += isNear[i] && rows[i] != null ? rows[i].length : 0;
    }
    return bytes;
  }

  /** Returns the bytes of an id's rows of all layers and views. */
  long bytesOf(int id) {
    long bytes = 0;
    for (int i = id; i < rows.length; i += ids.size()) {
      bytes += rows[i] == null ? 0 : rows[i].length;
    }
    return bytes;
  }

  /** Returns whether any view has a row of the id. */
  boolean isKnown(int id) {
    for (int v = 0; v < views.size(); v++) {
      if (row(v, id) != null) {
        return true;
      }
    }
    return false;
  }

  /** Returns the row that a view has of an id; null if it has none. */
  byte[] row(int view, int id) {
    return layers(view).row(rows, begins[view] + id, ids.size());
  }

  /** Counts, by view, the ids that have a row and those that have none. */
  void count(Metrics metrics) {
    for (int v = 0; v < views.size(); v++) {
      int found = 0;
      for (int i = 0; i < ids.size(); i++) {
        found += row(v, i) == null ? 0 : 1;
      }
      metrics.rows(views.get(v).view().name(), found, ids.size() - found);
    }
  }

  /** Returns the layer that {@link #row} is from, if there is a row. */
  Layer layer(int view, int id) {
    Layers layers = layers(view);
    return layers.get(layers.deciding(rows, begins[view] + id, ids.size()));
  }

  private Layers layers(int view) {
    return views.get(view).view().layers();
  }
}
