package dev.tarn.etl.definition;

import java.util.List;

/**
 * An ordered list of features that one model consumes.
 *
 * @param features each as {@code view.feature}
 */
public record FeatureService(
    String name,
    Entity entity,
    List<String> features,
    String description,
    String owner,
    Position position) {

  public boolean uses(FeatureView view) {
    return features.stream().anyMatch(feature -> feature.startsWith(view.name() + "."));
  }
}
