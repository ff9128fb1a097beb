package dev.tarn.serving.rpc;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.netty.NettyChannelBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks clients that ask for more than fits into memory, or do not read what they asked for. */
class TestHungryClients extends ServingTest {

  /** Ids whose rows have 10,000 bytes each. */
  private static final String[] IDS =
      IntStream.range(0, 100).mapToObj(i -> "u" + i).toArray(String[]::new);

  private static final String TAKEN = "tarn_in_flight_bytes";

  @BeforeEach
  void pushLargeRows() {
    Pushes.View view =
        pushes.view("a", "user").feature("text", Kind.KIND_STRING).feature("n", Kind.KIND_BIGINT);
    for (String id : IDS) {
      view.row(id, "x".repeat(10_000), 1L);
    }
    view.write("v1");
    pushes.service("numbers", "user", "a.n");
    pushes.release("a", "v1");
  }

  @Test
  void anAnswerBeyondTheLimitIsRefusedAndASmallerOneIsNot() {
    serve("max-answer-bytes = 500000");

    server.assertRefused(
        request(IDS),
        Code.INVALID_ARGUMENT,
        "entity_ids: has 100 ids, whose answer is more than 500,000 bytes, and the server answers no"
            + " more at once (serving.max-answer-bytes): ask for fewer ids or features");
    assertThat(
            ServerFixture.refusal(
                    () -> {
                      var unused =
                          server
                              .legacy()
                              .getOnlineFeatures(
                                  dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                                      .addAllEntityIds(List.of(IDS))
                                      .build());
                    })
                .getCode())
        .isEqualTo(Code.INVALID_ARGUMENT);
    assertThat(server.ask(List.of(IDS).subList(0, 40).toArray(String[]::new)).getResultsCount())
        .isEqualTo(40);
    assertThat(server.ask(request(IDS).addFeatureNames("n")).getResultsCount()).isEqualTo(100);
    assertGivenBack();
  }

  @Test
  void anAnswerOfExactlyTheLimitIsGiven() {
    serve();
    int bytes = server.ask(IDS).getSerializedSize();
    server.close();

    serve("max-answer-bytes = " + bytes);
    assertThat(server.ask(IDS).getSerializedSize()).isEqualTo(bytes);
    server.close();

    serve("max-answer-bytes = " + (bytes - 1));
    assertThat(server.refusal(request(IDS)).getCode()).isEqualTo(Code.INVALID_ARGUMENT);
  }

  @Test
  void oneIdIsNotOneIds() {
    serve("max-answer-bytes = 1");
    server.assertRefused(
        request("u0"),
        Code.INVALID_ARGUMENT,
        "entity_ids: has 1 id, whose answer is more than 1 byte, and the server answers no more at"
            + " once (serving.max-answer-bytes): ask for fewer ids or features");
    GetFeatureVectorsRequest.Builder vector =
        GetFeatureVectorsRequest.newBuilder().setFeatureService("numbers").addEntityIds("u0");
    Status refusal =
        ServerFixture.refusal(
            () -> {
              var unused = server.stub().getFeatureVectors(vector.build());
            });
    assertThat(refusal.getDescription()).contains("has 1 id, whose vector of 1 float is 4 bytes");
  }

  @Test
  void vectorsBeyondTheLimitAreRefused() {
    serve("max-answer-bytes = 399");
    GetFeatureVectorsRequest.Builder request =
        GetFeatureVectorsRequest.newBuilder()
            .setFeatureService("numbers")
            .addAllEntityIds(List.of(IDS));

    Status refusal =
        ServerFixture.refusal(
            () -> {
              var unused = server.stub().getFeatureVectors(request.build());
            });

    assertThat(refusal.getCode()).isEqualTo(Code.INVALID_ARGUMENT);
    assertThat(refusal.getDescription())
        .contains("has 100 ids, whose vectors of 1 float are 400 bytes", "ask for fewer at once");
  }

  @Test
  void aLookupThatNeedsMoreThanHalfOfTheMemoryIsRefusedForGood() {
    serve("max-in-flight-bytes = 1M");

    Status refusal = server.refusal(request(IDS));

    assertThat(refusal.getCode()).isEqualTo(Code.INVALID_ARGUMENT);
    assertThat(refusal.getDescription())
        .startsWith("entity_ids: the lookup needs ")
        .endsWith(
            "and the server has 524,288 for one (half of serving.max-in-flight-bytes): ask for"
                + " fewer ids or features at once");
    assertThat(server.ask("u1").getResultsCount()).isEqualTo(1);
    assertGivenBack();
  }

  @Test
  void aRequestForWhichThereIsNoMemoryIsRefused() {
    serve("max-in-flight-bytes = 400K");

    Status refusal = server.refusal(request("u1").addFeatureNames("x".repeat(1_000_000)));

    assertThat(refusal.getCode()).isEqualTo(Code.INVALID_ARGUMENT);
    assertThat(refusal.getDescription()).startsWith("entity_ids: the lookup needs ");
    assertThat(server.ask(request("u1").addFeatureNames("n")).getResultsCount()).isEqualTo(1);
    assertGivenBack();
  }

  @Test
  void aClientThatDoesNotReadHarmsNoOtherAndIsToldWhy() throws Exception {
    serve("max-in-flight-bytes = 16M");
    List<Unread> calls = new ArrayList<>();
    ManagedChannel lazy =
        NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
            .usePlaintext()
            .flowControlWindow(1_000)
            .build();
    try {
      for (int i = 0; i < 40; i++) {
        calls.add(new Unread(lazy, request(IDS).build()));
      }
      soon()
          .untilAsserted(
              () ->
                  assertThat(server.metrics())
                      .containsEntry("tarn_in_flight_calls", 0.0)
                      .hasEntrySatisfying(TAKEN, bytes -> assertThat(bytes).isPositive())
                      .hasEntrySatisfying(
                          "tarn_refused_for_memory_total",
                          refused -> assertThat(refused).isPositive()));
      for (int i = 0; i < 50; i++) {
        assertThat(server.ask("u" + i).getResultsCount()).isEqualTo(1);
      }
      assertThat(server.ask(IDS).getResultsCount()).isEqualTo(100);

      calls.forEach(Unread::read);
      int answered = 0;
      for (Unread call : calls) {
        Status status = call.ended.get(30, TimeUnit.SECONDS);
        if (status.isOk()) {
          answered++;
        } else {
          assertThat(status.getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED);
          assertThat(status.getDescription())
              .startsWith("the lookups of this connection take ")
              .endsWith("read the answers, or ask for fewer at once");
        }
      }
      // Eight of a megabyte are half of all.
      assertThat(answered).isBetween(1, 8);
      assertGivenBack();
    } finally {
      lazy.shutdownNow();
    }
  }

  @Test
  void whatAClientLeavesUnreadIsFreeWhenItIsGone() {
    serve("max-in-flight-bytes = 16M");
    ManagedChannel lazy =
        NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
            .usePlaintext()
            .flowControlWindow(1_000)
            .build();
    new Unread(lazy, request(IDS).build());
    soon()
        .untilAsserted(
            () ->
                assertThat(server.metrics())
                    .containsEntry("tarn_in_flight_calls", 0.0)
                    .hasEntrySatisfying(TAKEN, bytes -> assertThat(bytes).isGreaterThan(900_000)));

    lazy.shutdownNow();

    assertGivenBack();
  }

  private void assertGivenBack() {
    soon().untilAsserted(() -> assertThat(server.metrics()).containsEntry(TAKEN, 0.0));
  }

  /** A call whose answer is not read until {@link #read}. */
  private static final class Unread extends ClientCall.Listener<GetOnlineFeaturesResponse> {

    private final ClientCall<GetOnlineFeaturesRequest, GetOnlineFeaturesResponse> call;
    private final CompletableFuture<Status> ended = new CompletableFuture<>();

    Unread(ManagedChannel channel, GetOnlineFeaturesRequest request) {
      call =
          channel.newCall(
              FeatureStoreServiceGrpc.getGetOnlineFeaturesMethod(), CallOptions.DEFAULT);
      call.start(this, new Metadata());
      call.sendMessage(request);
      call.halfClose();
    }

    void read() {
      call.request(2);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      ended.complete(status);
    }
  }
}
