package dev.tarn.bench.lookup;

import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One kind of request.
 *
 * @param isVectors whether it is GetFeatureVectors, or else GetOnlineFeatures
 * @param entities of each request
 * @param features of each entity
 */
record LookupShape(boolean isVectors, int entities, int features) {

  static List<LookupShape> all(List<Integer> widths) {
    return widths.stream()
        .flatMap(
            features ->
                List.of(false, true).stream()
                    .flatMap(
                        isVectors ->
                            IntStream.of(1, 10, 100)
                                .mapToObj(
                                    entities -> new LookupShape(isVectors, entities, features))))
        .toList();
  }

  /** Of the view, and of the entity that has this view only. */
  static String view(int features) {
    return "wide" + features;
  }

  /** Of the feature service with all features of the view. */
  static String service(int features) {
    return "scaled" + features;
  }

  String method() {
    return "feature_store.v1.FeatureStoreService/"
        + (isVectors ? "GetFeatureVectors" : "GetOnlineFeatures");
  }

  /** The same entities each time: 0 and up. */
  byte[] request() {
    return request(IntStream.range(0, entities));
  }

  byte[] request(IntStream entityIds) {
    List<String> ids = entityIds.mapToObj(Integer::toString).toList();
    return isVectors
        ? GetFeatureVectorsRequest.newBuilder()
            .addAllEntityIds(ids)
            .setFeatureService(service(features))
            .build()
            .toByteArray()
        : GetOnlineFeaturesRequest.newBuilder()
            .addAllEntityIds(ids)
            .setEntity(view(features))
            .build()
            .toByteArray();
  }

  /** As the rivals name it. */
  String fileName() {
    return "%dx%d-%s".formatted(entities, features, isVectors ? "vectors" : "features");
  }

  @Override
  public String toString() {
    return "%s %d × %d".formatted(isVectors ? "vectors" : "features", entities, features);
  }
}
