package dev.tarn.serving;

import dev.tarn.api.legacy.FeatureSet;
import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.legacy.GetOnlineFeaturesRequest;
import dev.tarn.api.legacy.GetOnlineFeaturesResponse;
import io.grpc.stub.StreamObserver;

/** {@code feature_store.FeatureStore}: the same lookups for clients of the older name. */
final class LegacyFeatureStore extends FeatureStoreGrpc.FeatureStoreImplBase {

  private final Lookup lookup;

  LegacyFeatureStore(Lookup lookup) {
    this.lookup = lookup;
  }

  @Override
  public void getOnlineFeatures(
      GetOnlineFeaturesRequest request, StreamObserver<GetOnlineFeaturesResponse> observer) {
    Replies.send(
        observer,
        () -> lookup.answer(toV1(request)).thenApply(LegacyFeatureStore::withoutStatuses));
  }

  private static dev.tarn.api.v1.GetOnlineFeaturesRequest toV1(GetOnlineFeaturesRequest request) {
    return dev.tarn.api.v1.GetOnlineFeaturesRequest.newBuilder()
        .addAllEntityIds(request.getEntityIdsList())
        .addAllFeatureNames(request.getFeatureNamesList())
        .build();
  }

  private static GetOnlineFeaturesResponse withoutStatuses(
      dev.tarn.api.v1.GetOnlineFeaturesResponse answer) {
    GetOnlineFeaturesResponse.Builder legacy = GetOnlineFeaturesResponse.newBuilder();
    answer
        .getResultsMap()
        .forEach(
            (id, set) ->
                legacy.putResults(
                    id, FeatureSet.newBuilder().putAllFeatures(set.getFeaturesMap()).build()));
    return legacy.build();
  }
}
