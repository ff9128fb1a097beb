package dev.tarn.etl.definition;

import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.StoredService;
import java.util.List;

/**
 * An ordered list of features that one model consumes.
 *
 * @param features each as {@code view.feature}
 * @param transforms of those features that have any, in the same order; what is to be fitted is not
 *     fitted here
 */
public record FeatureService(
    String name,
    Entity entity,
    List<String> features,
    List<FeatureTransforms> transforms,
    String description,
    String owner,
    Position position) {

  public boolean uses(FeatureView view) {
    return features.stream().anyMatch(feature -> feature.startsWith(view.name() + "."));
  }

  /** The service as servers read it. Transforms that are to be fitted are not fitted here. */
  public StoredService stored() {
    return StoredService.newBuilder()
        .setName(name)
        .setEntity(entity.name())
        .addAllFeatureNames(features)
        .addAllTransforms(transforms)
        .setDescription(description)
        .setOwner(owner)
        .build();
  }
}
