package dev.tarn.serving.rpc;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ListFeatureViewsResponse;
import dev.tarn.serving.lookup.Lookup;
import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;

/** {@code feature_store.v1.FeatureStoreService}; its .proto file is the contract. */
final class FeatureStoreService implements BindableService, FeatureStoreServiceGrpc.AsyncService {

  private final Lookup lookup;

  FeatureStoreService(Lookup lookup) {
    this.lookup = lookup;
  }

  @Override
  public ServerServiceDefinition bindService() {
    return AnswerBytes.bind(
        FeatureStoreServiceGrpc.bindService(this),
        FeatureStoreServiceGrpc.getGetOnlineFeaturesMethod(),
        (request, observer) -> Replies.send(observer, () -> lookup.answer(request)));
  }

  @Override
  public void getFeatureVectors(
      GetFeatureVectorsRequest request, StreamObserver<GetFeatureVectorsResponse> observer) {
    Replies.send(observer, () -> lookup.vectors(request));
  }

  @Override
  public void listFeatureViews(
      ListFeatureViewsRequest request, StreamObserver<ListFeatureViewsResponse> observer) {
    Replies.send(observer, () -> CompletableFuture.completedFuture(lookup.views()));
  }
}
