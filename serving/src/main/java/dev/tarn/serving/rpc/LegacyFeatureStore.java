package dev.tarn.serving.rpc;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.legacy.GetOnlineFeaturesRequest;
import dev.tarn.serving.lookup.Lookup;
import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;

/** {@code feature_store.FeatureStore}, the same lookups for clients of the older service. */
final class LegacyFeatureStore implements BindableService, FeatureStoreGrpc.AsyncService {

  private final Lookup lookup;

  LegacyFeatureStore(Lookup lookup) {
    this.lookup = lookup;
  }

  @Override
  public ServerServiceDefinition bindService() {
    return AnswerBytes.bind(
        FeatureStoreGrpc.bindService(this),
        FeatureStoreGrpc.getGetOnlineFeaturesMethod(),
        (request, observer) -> Replies.send(observer, () -> lookup.legacyAnswer(toV1(request))));
  }

  private static dev.tarn.api.v1.GetOnlineFeaturesRequest toV1(GetOnlineFeaturesRequest request) {
    return dev.tarn.api.v1.GetOnlineFeaturesRequest.newBuilder()
        .addAllEntityIds(request.getEntityIdsList())
        .addAllFeatureNames(request.getFeatureNamesList())
        .build();
  }
}
