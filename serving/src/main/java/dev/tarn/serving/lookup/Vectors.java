package dev.tarn.serving.lookup;

import com.google.protobuf.UnsafeByteOperations;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.layer.Layer;
import dev.tarn.manifest.Stamp;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.serving.lookup.Selection.ViewColumns;
import dev.tarn.serving.world.ReleasedView;
import dev.tarn.transform.Vectorizer;
import java.util.List;

/**
 * Turns stored rows into the rows of a feature service's matrix, as {@link Answers} turns them into
 * maps. It ignores default values: a service's transforms say what a model gets for an absent
 * value.
 */
final class Vectors {

  private final CorruptRows corruptRows;

  Vectors(CorruptRows corruptRows) {
    this.corruptRows = corruptRows;
  }

  /** Makes the answer to one request. */
  GetFeatureVectorsResponse of(
      VectorPlan plan, AskedIds asked, FetchedRows rows, boolean withStamps) {
    List<AskedId> ids = asked.distinct();
    int[] places = asked.places();
    int width = plan.vectorizer().width();
    int rowBytes = width * Vectorizer.FLOAT_BYTES;
    byte[] matrix = new byte[places.length * rowBytes];
    boolean[] found = new boolean[ids.size()];
    float[] vector = new float[width];
    boolean isEachOnce = ids.size() == places.length;
    byte[] distinct = isEachOnce ? matrix : new byte[ids.size() * rowBytes];
    for (int i = 0; i < ids.size(); i++) {
      found[i] = put(plan, ids.get(i), i, rows, vector);
      Vectorizer.write(vector, distinct, i * rowBytes);
    }
    GetFeatureVectorsResponse.Builder answer =
        GetFeatureVectorsResponse.newBuilder()
            .setWidth(width)
            .addAllFeatureNames(plan.vectorizer().columnNames());
    for (int i = 0; i < places.length; i++) {
      answer.addFound(found[places[i]]);
      if (!isEachOnce) {
        System.arraycopy(distinct, places[i] * rowBytes, matrix, i * rowBytes, rowBytes);
      }
    }
    for (int v = 0; v < plan.selection().views().size(); v++) {
      answer.addVersions(rows.version(v));
    }
    if (withStamps) {
      Stamp common = rows.stamp();
      for (int place : places) {
        answer.addStamps(rows.stamp(common, place));
      }
    }
    return answer.setValues(UnsafeByteOperations.unsafeWrap(matrix)).build();
  }

  /** Fills the vector of one entity; returns false if no view has a readable row of it. */
  private boolean put(VectorPlan plan, AskedId id, int index, FetchedRows rows, float[] vector) {
    boolean isFound = false;
    plan.vectorizer().clear(vector);
    List<ViewColumns> views = plan.selection().views();
    for (int v = 0; v < views.size(); v++) {
      if (!rows.hasRow(v, index)) {
        continue;
      }
      ReleasedView view = views.get(v).view();
      Layer layer = rows.layer(v, index);
      try {
        RowReader reader = rows.row(v, index);
        long eventMicros = layer.readEventTimestamp(reader);
        if (!rows.isLagging(v) && !view.isTooOld(eventMicros, rows.moment())) {
          plan.put(v, reader, vector);
        }
        isFound = true;
      } catch (CorruptRowException e) {
        corruptRows.found(view.name(), layer, id.utf8(), e);
        plan.clear(v, vector);
      }
    }
    return isFound;
  }
}
