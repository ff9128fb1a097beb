package dev.tarn.serving.lookup;

import dev.tarn.manifest.FeatureType;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.RowReader;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.world.ReleasedView;
import dev.tarn.transform.Vectorizer;
import java.util.Arrays;
import java.util.List;

/** Turns the stored rows of a feature service's views into its vectors. It is immutable. */
final class VectorPlan {

  /** Stands for a feature of a row that the service does not have. */
  private static final int NONE = -1;

  private final Selection selection;
  private final Vectorizer vectorizer;

  /** The type of each feature in a row, for each view of the selection. */
  private final FeatureType[][] types;

  /** The place in the service of each feature in a row, for each view of the selection. */
  private final int[][] features;

  /**
   * Plans for these features.
   *
   * @param places of the service's features, in its order
   * @param selection of the same features
   */
  VectorPlan(Selection selection, List<Place> places, Vectorizer vectorizer) {
    this.selection = selection;
    this.vectorizer = vectorizer;
    features = new int[selection.views().size()][];
    types = new FeatureType[features.length][];
    for (int v = 0; v < features.length; v++) {
      ReleasedView view = selection.views().get(v).view();
      types[v] = view.types().toArray(FeatureType[]::new);
      features[v] = new int[types[v].length];
      Arrays.fill(features[v], NONE);
      for (int i = 0; i < places.size(); i++) {
        if (places.get(i).view() == view) {
          features[v][places.get(i).index()] = i;
        }
      }
    }
  }

  Selection selection() {
    return selection;
  }

  Vectorizer vectorizer() {
    return vectorizer;
  }

  /**
   * Puts the features of one view's row into a vector; the row's event timestamp was read before.
   */
  void put(int view, RowReader reader, float[] vector) throws CorruptRowException {
    FeatureType[] types = this.types[view];
    int[] places = features[view];
    int nulls = reader.readNulls(places.length);
    for (int i = 0; i < places.length; i++) {
      if (reader.isNull(nulls, i)) {
        continue;
      }
      int feature = places[i];
      if (feature == NONE) {
        reader.skipValue(types[i]);
      } else if (vectorizer.takesCategories(feature)) {
        vectorizer.putCategory(feature, reader.readText(types[i]), vector);
      } else {
        vectorizer.putNumber(feature, reader.readNumber(types[i]), vector);
      }
    }
    reader.endValues();
  }

  /** Makes the features of one view absent again in a vector. */
  void clear(int view, float[] vector) {
    for (int feature : features[view]) {
      if (feature != NONE) {
        vectorizer.clear(feature, vector);
      }
    }
  }
}
