package dev.tarn.etl.verify;

import dev.tarn.manifest.FeatureType;
import java.io.Serializable;

/**
 * The findings for one feature. Values that are the same on both sides are counted once and belong
 * to both.
 *
 * @param differing entities of both sides whose values are not the same
 */
record FeatureFindings(
    Statistics same, Statistics onlyOnline, Statistics onlyOffline, long differing)
    implements Serializable {

  static FeatureFindings none(FeatureType type, Bins bins) {
    return new FeatureFindings(
        new Statistics(type, bins), new Statistics(type, bins), new Statistics(type, bins), 0);
  }

  FeatureFindings plus(FeatureFindings other) {
    return new FeatureFindings(
        same.plus(other.same),
        onlyOnline.plus(other.onlyOnline),
        onlyOffline.plus(other.onlyOffline),
        differing + other.differing);
  }

  Statistics online() {
    return same.plus(onlyOnline);
  }

  Statistics offline() {
    return same.plus(onlyOffline);
  }
}
