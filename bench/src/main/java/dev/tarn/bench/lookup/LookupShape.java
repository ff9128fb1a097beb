package dev.tarn.bench.lookup;

import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A kind of request.
 *
 * @param isVectors true for GetFeatureVectors, false for GetOnlineFeatures
 * @param entities how many each request asks for
 * @param features how many each entity has
 */
record LookupShape(boolean isVectors, int entities, int features) {

  /** Features of the requests that the aims are for. */
  static final int WIDTH = 10;

  /** Lists all kinds of requests for some numbers of features. */
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

  /** Names the view, and the entity that has this view only. */
  static String view(int features) {
    return "wide" + features;
  }

  /** Names the feature service with all features of the view. */
  static String service(int features) {
    return "scaled" + features;
  }

  String method() {
    return "feature_store.v1.FeatureStoreService/"
        + (isVectors ? "GetFeatureVectors" : "GetOnlineFeatures");
  }

  /** Makes a request for the entities from 0 up. */
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

  /** Names the file of answers, and with it the methods of the rivals. */
  String fileName() {
    return "%dx%d-%s".formatted(entities, features, isVectors ? "vectors" : "features");
  }

  @Override
  public String toString() {
    return "%s %d × %d".formatted(isVectors ? "vectors" : "features", entities, features);
  }
}
