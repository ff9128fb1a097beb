package dev.tarn.serving.lookup;

import com.google.protobuf.ByteString;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.layer.Buckets;
import dev.tarn.layer.Layer;
import dev.tarn.layer.Layers;
import dev.tarn.live.Cut;
import dev.tarn.manifest.BatchStamp;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.serving.live.Completeness;
import dev.tarn.serving.live.LiveMerge;
import dev.tarn.serving.live.LiveProgress;
import dev.tarn.serving.live.MergedRow;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.ops.Metrics;
import dev.tarn.serving.redis.RowBatch;
import dev.tarn.serving.world.LiveView;
import dev.tarn.serving.world.ReleasedView;
import java.time.Instant;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.function.LongBinaryOperator;

/**
 * The entries of one request, view by view, layer by layer, id by id. It says which entries to
 * fetch and, once they are there, which row an entity has by the rule of {@link Layers}. A live
 * view has one more layer, below the others, which is merged with the row that these give.
 */
final class FetchedRows {

  /** The least number of ids from which to estimate what all take. */
  private static final int SAMPLE_IDS = 16;

  private final List<ViewColumns> views;
  private final List<AskedId> ids;
  private final byte[][] rows;

  /** The index at which each view's rows begin, and at the end the number of all rows. */
  private final int[] begins;

  /** By view, of live ones: how far the view was known to be complete before Redis was asked. */
  private final Completeness[] completeness;

  /** By view, of live ones: the row of each id at {@link #moment}. */
  private final MergedRow[][] merged;

  private long moment;

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
    completeness = new Completeness[views.size()];
    merged = new MergedRow[views.size()][];
    missing = rows.length;
  }

  /** Lays out the rows to fetch; none is fetched yet. */
  static FetchedRows toFetch(Selection selection, List<AskedId> ids) {
    int[] begins = begins(selection.views(), ids);
    return new FetchedRows(selection.views(), ids, new byte[begins[begins.length - 1]][], begins);
  }

  /** Wraps rows that are there already, of views of which none is live. */
  static FetchedRows of(Selection selection, List<AskedId> ids, byte[][] rows, long moment) {
    FetchedRows fetched =
        new FetchedRows(selection.views(), ids, rows, begins(selection.views(), ids));
    fetched.moment = moment;
    return fetched;
  }

  private static int[] begins(List<ViewColumns> views, List<AskedId> ids) {
    int[] begins = new int[views.size() + 1];
    for (int v = 0; v < views.size(); v++) {
      ReleasedView view = views.get(v).view();
      int layers = view.layers().count() + (view.live().isPresent() ? 1 : 0);
      begins[v + 1] = begins[v] + layers * ids.size();
    }
    return begins;
  }

  /**
   * Notes how far the live views are known to be complete. This has to come before the rows are
   * fetched: what is applied later may be missing in them.
   */
  void know(LiveProgress progress, Object redis) {
    for (int v = 0; v < completeness.length; v++) {
      Optional<LiveView> live = views.get(v).view().live();
      completeness[v] = live.isEmpty() ? null : progress.of(live.get(), redis);
    }
  }

  /**
   * Takes the rows that the near cache has, so that only the others are fetched. Live cells are
   * never there.
   */
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
      next += columns.view().live().isPresent() ? ids.size() : 0;
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
        next = addMissing(layers.get(l), next, batch);
      }
      Optional<LiveView> live = columns.view().live();
      if (live.isPresent()) {
        next = addMissing(live.get().layer(), next, batch);
      }
    }
    return batch;
  }

  /** Adds the missing rows of a layer, whose first is {@code begin}, and returns their end. */
  private int addMissing(Layer layer, int begin, RowBatch batch) {
    Buckets buckets = layer.buckets();
    int next = begin;
    for (AskedId id : ids) {
      if (isNear == null || !isNear[next]) {
        batch.add(next, buckets.keyOf(id.utf8()), id.utf8());
      }
      next++;
    }
    return next;
  }

  /**
   * Sets the moment of the question, once all rows are there, and merges the live views at it. It
   * is no earlier than the read: the live job gives up what only earlier questions need.
   *
   * @param micros since 1970 UTC
   */
  void askAt(long micros) {
    moment = micros;
    for (int v = 0; v < merged.length; v++) {
      ReleasedView view = views.get(v).view();
      if (view.live().isPresent()) {
        merged[v] = merge(v, view, view.live().get());
      }
    }
  }

  private MergedRow[] merge(int view, ReleasedView released, LiveView live) {
    LiveMerge merge = new LiveMerge(released, live, completeness[view].progress(), moment);
    Layers layers = released.layers();
    int liveBegin = begins[view] + layers.count() * ids.size();
    MergedRow[] all = new MergedRow[ids.size()];
    for (int i = 0; i < all.length; i++) {
      byte[] base = layers.row(rows, begins[view] + i, ids.size());
      Layer of = base == null ? layers.base() : decidingLayer(view, i);
      all[i] = merge.of(base, of, rows[liveBegin + i]);
    }
    return all;
  }

  /** Returns the moment of the question, microseconds since 1970 UTC. */
  long moment() {
    return moment;
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

  /** Returns whether any view has a row of the id, or may have one that is not applied yet. */
  boolean isKnown(int id) {
    for (int v = 0; v < views.size(); v++) {
      if (hasRow(v, id) || isLagging(v)) {
        return true;
      }
    }
    return false;
  }

  /** Returns whether a view has a row of an id, sound or not. */
  boolean hasRow(int view, int id) {
    return merged[view] == null
        ? layers(view).row(rows, begins[view] + id, ids.size()) != null
        : merged[view][id].isThere();
  }

  /**
   * Begins to read the row that a view has of an id.
   *
   * @throws CorruptRowException if there are live cells that can't be read
   */
  RowReader row(int view, int id) throws CorruptRowException {
    return merged[view] == null
        ? new RowReader(layers(view).row(rows, begins[view] + id, ids.size()))
        : merged[view][id].reader();
  }

  /** Returns the features of a row that are null because their value does not fit. */
  Optional<BitSet> overflows(int view, int id) {
    return merged[view] == null ? Optional.empty() : merged[view][id].overflows();
  }

  /** Returns whether a view is live and not known to be complete up to its max lag. */
  boolean isLagging(int view) {
    return merged[view] != null
        && completeness[view].isLagging(views.get(view).view().live().orElseThrow(), moment);
  }

  /** Returns whether an answer has a live view, of which some parts change with each question. */
  boolean hasLive() {
    for (MergedRow[] view : merged) {
      if (view != null) {
        return true;
      }
    }
    return false;
  }

  /** Returns the version of a view, with the time up to which it is complete if it is live. */
  ViewVersion version(int view) {
    ReleasedView released = views.get(view).view();
    return merged[view] == null ? released.viewVersion() : completeness[view].in(released);
  }

  /**
   * Returns the parts of stamps that all ids have in common: the moment, and the views that are not
   * live.
   */
  Stamp stamp() {
    Stamp.Builder stamp = Stamp.newBuilder().setMicros(moment);
    for (int v = 0; v < merged.length; v++) {
      if (merged[v] == null) {
        ViewVersion version = views.get(v).view().viewVersion();
        stamp.addBatch(
            BatchStamp.newBuilder()
                .setFeatureView(version.getFeatureView())
                .setSnapshotId(version.getSnapshotId()));
      }
    }
    return stamp.build();
  }

  /** Returns the stamp of an id. A live view that is not answered is not in it. */
  ByteString stamp(Stamp common, int id) {
    if (!hasLive()) {
      return common.toByteString();
    }
    Stamp.Builder stamp = common.toBuilder();
    for (int v = 0; v < merged.length; v++) {
      if (merged[v] != null && merged[v][id].problem().isEmpty() && !isLagging(v)) {
        ReleasedView view = views.get(v).view();
        Cut cut = merged[v][id].cut();
        LiveStamp.Builder live =
            LiveStamp.newBuilder()
                .setFeatureView(view.name())
                .setGeneration(view.live().orElseThrow().generation());
        for (int p = 0; p < cut.partitions(); p++) {
          live.addOffsets(cut.next(p));
        }
        stamp.addLive(live);
      }
    }
    return stamp.build().toByteString();
  }

  /** Counts, by view, the ids that have a row and those that have none, and what lags. */
  void count(Metrics metrics) {
    for (int v = 0; v < views.size(); v++) {
      int found = 0;
      for (int i = 0; i < ids.size(); i++) {
        found += hasRow(v, i) ? 1 : 0;
      }
      String name = views.get(v).view().name();
      metrics.rows(name, found, ids.size() - found);
      if (isLagging(v)) {
        metrics.laggingAnswer(name);
      }
    }
  }

  /** Returns the layer that {@link #row} is from, if there is a row. */
  Layer layer(int view, int id) {
    return merged[view] == null ? decidingLayer(view, id) : merged[view][id].layer();
  }

  private Layer decidingLayer(int view, int id) {
    Layers layers = layers(view);
    return layers.get(layers.deciding(rows, begins[view] + id, ids.size()));
  }

  private Layers layers(int view) {
    return views.get(view).view().layers();
  }
}
