package dev.tarn.serving;

import dev.tarn.serving.Lookup.AskedId;
import dev.tarn.serving.Selection.ViewColumns;
import java.util.List;

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

  private FetchedRows(List<ViewColumns> views, List<AskedId> ids, byte[][] rows, int[] begins) {
    this.views = views;
    this.ids = ids;
    this.rows = rows;
    this.begins = begins;
  }

  /** The rows to fetch, none fetched yet. */
  static FetchedRows toFetch(Selection selection, List<AskedId> ids) {
    List<ViewColumns> views = selection.views();
    int[] begins = new int[views.size() + 1];
    for (int v = 0; v < views.size(); v++) {
      begins[v + 1] = begins[v] + views.get(v).view().layers().size() * ids.size();
    }
    return new FetchedRows(views, ids, new byte[begins[views.size()]][], begins);
  }

  boolean isEmpty() {
    return rows.length == 0;
  }

  /**
   * The one batch that fetches them all; all layers, as no lower one may wait for the one above.
   */
  RowBatch batch() {
    RowBatch batch = new RowBatch(rows);
    for (ViewColumns columns : views) {
      for (Layer layer : columns.view().layers()) {
        for (AskedId id : ids) {
          batch.add(layer.bucket(id.utf8()), id.utf8());
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
