package dev.tarn.serving.lookup;

import dev.tarn.serving.lookup.Lookup.AskedId;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.redis.RowBatch;
import dev.tarn.serving.world.Layer;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The rows of one request, view by view, layer by layer, id by id: what to fetch and, once that is
 * there, which layer's row is the entity's.
 */
final class FetchedRows {

  private final List<ViewColumns> views;
  private final List<AskedId> ids;
  private final byte[][] rows;

  /** For each view where its rows begin, and at the end how many there are in all. */
  private final int[] begins;

  /** Which rows the near cache had; null if it was not asked. */
  private boolean[] isNear;

  private NearCache.Key[] keys;
  private int missing;
  private Optional<Instant> staleSince = Optional.empty();

  private FetchedRows(List<ViewColumns> views, List<AskedId> ids, byte[][] rows, int[] begins) {
    this.views = views;
    this.ids = ids;
    this.rows = rows;
    this.begins = begins;
    missing = rows.length;
  }

  /** The rows to fetch, none fetched yet. */
  static FetchedRows toFetch(Selection selection, List<AskedId> ids) {
    int[] begins = begins(selection.views(), ids);
    return new FetchedRows(selection.views(), ids, new byte[begins[begins.length - 1]][], begins);
  }

  /** Rows that are there already. */
  static FetchedRows of(Selection selection, List<AskedId> ids, byte[][] rows) {
    return new FetchedRows(selection.views(), ids, rows, begins(selection.views(), ids));
  }

  private static int[] begins(List<ViewColumns> views, List<AskedId> ids) {
    int[] begins = new int[views.size() + 1];
    for (int v = 0; v < views.size(); v++) {
      begins[v + 1] = begins[v] + views.get(v).view().layers().size() * ids.size();
    }
    return begins;
  }

  /** Takes what the near cache has. Only the rest is to be fetched then. */
  void takeFrom(NearCache cache, Object redis) {
    keys = new NearCache.Key[rows.length];
    int next = 0;
    for (ViewColumns columns : views) {
      for (Layer layer : columns.view().layers()) {
        for (AskedId id : ids) {
          keys[next++] = new NearCache.Key(redis, layer.bucketPrefix(), id.utf8());
        }
      }
    }
    isNear = cache.fill(keys, rows);
    missing = 0;
    for (boolean near : isNear) {
      missing += near ? 0 : 1;
    }
  }

  /** They are all that is known since then, as Redis can't be read. */
  void areStaleSince(Instant since) {
    staleSince = Optional.of(since);
  }

  Optional<Instant> staleSince() {
    return staleSince;
  }

  /** Gives it what it did not have, once that is fetched. */
  void giveTo(NearCache cache) {
    cache.put(keys, rows, isNear);
  }

  /** How many rows there are, of all layers. */
  int size() {
    return rows.length;
  }

  /** How many rows are to be fetched. */
  int missing() {
    return missing;
  }

  /** Whether none is. */
  boolean isComplete() {
    return missing == 0;
  }

  /**
   * The one batch that fetches all that is missing; all layers, as no lower one may wait for the
   * one above.
   */
  RowBatch batch() {
    RowBatch batch = new RowBatch(rows, missing);
    int next = 0;
    for (ViewColumns columns : views) {
      for (Layer layer : columns.view().layers()) {
        for (AskedId id : ids) {
          if (isNear == null || !isNear[next]) {
            batch.add(next, layer.bucket(id.utf8()), id.utf8());
          }
          next++;
        }
      }
    }
    return batch;
  }

  /** Whether any view has a row of the id. */
  boolean isKnown(int id) {
    for (int v = 0; v < views.size(); v++) {
      if (row(v, id) != null) {
        return true;
      }
    }
    return false;
  }

  /** The row that a view has of an id, null if it has none. */
  byte[] row(int view, int id) {
    int at = index(view, id);
    byte[] row = rows[at];
    // With a layer below, an empty entry says that the layer below no longer counts.
    return row != null && row.length == 0 && at + ids.size() < begins[view + 1] ? null : row;
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

  /** The layer that {@link #row} is from. */
  Layer layer(int view, int id) {
    return views.get(view).view().layers().get((index(view, id) - begins[view]) / ids.size());
  }

  /** The entry of the uppermost layer that has one; if none has, that of the lowest. */
  private int index(int view, int id) {
    int at = begins[view] + id;
    int lower = at + ids.size();
    while (rows[at] == null && lower < begins[view + 1]) {
      at = lower;
      lower += ids.size();
    }
    return at;
  }
}
