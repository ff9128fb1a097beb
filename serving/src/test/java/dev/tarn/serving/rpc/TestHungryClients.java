package dev.tarn.serving.rpc;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
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
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
              .matches(
                  "the lookup needs (about|at least) [0-9,]+ bytes of memory, and the others of"
                      + " this connection take [0-9,]+ until their answers are read, of 16,777,216"
                      + " for all \\(serving.max-in-flight-bytes\\): read the answers, then try"
                      + " again");
        }
      }
      // Eight of a megabyte are half of all.
      assertThat(answered).isBetween(1, 8);
      assertGivenBack();
    } finally {
      lazy.shutdownNow();
    }
  }

  /** Each asks over a connection of its own, so that the one does not keep the other out. */
  @ParameterizedTest
  @CsvSource({"600K,100", "2M,100", "3M,100", "8M,100", "300K,12", "1M,12", "600K,12"})
  void whetherALookupFitsAloneIsToldAlsoAmongOthers(String most, int ids) throws Exception {
    serve("max-in-flight-bytes = " + most);
    String[] some = List.of(IDS).subList(0, ids).toArray(String[]::new);
    Code alone = codeOf(() -> server.ask(some));
    server.close();

    // Nothing is known yet of the rows' size when these come.
    serve("max-in-flight-bytes = " + most);
    List<ManagedChannel> clients = new ArrayList<>();
    try {
      for (int i = 0; i < 8; i++) {
        clients.add(
            NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
                .usePlaintext()
                .build());
      }
      for (int round = 0; round < 10; round++) {
        List<ListenableFuture<GetOnlineFeaturesResponse>> calls = new ArrayList<>();
        for (ManagedChannel client : clients) {
          calls.add(
              FeatureStoreServiceGrpc.newFutureStub(client)
                  .getOnlineFeatures(request(some).build()));
        }
        for (ListenableFuture<GetOnlineFeaturesResponse> call : calls) {
          assertToldAs(alone, call);
        }
      }
    } finally {
      clients.forEach(ManagedChannel::shutdownNow);
    }
    assertGivenBack();
    assertThat(codeOf(() -> server.ask(some))).isEqualTo(alone);
  }

  private static void assertToldAs(Code alone, ListenableFuture<GetOnlineFeaturesResponse> call)
      throws InterruptedException {
    try {
      call.get();
      assertThat(alone).isEqualTo(Code.OK);
    } catch (ExecutionException e) {
      Status told = Status.fromThrowable(e);
      if (alone == Code.OK) {
        assertThat(told.getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED);
        assertThat(told.getDescription()).endsWith("try again later");
      } else {
        assertThat(told.getCode()).as(told.getDescription()).isEqualTo(Code.INVALID_ARGUMENT);
        assertThat(told.getDescription()).endsWith("ask for fewer ids or features at once");
      }
    }
  }

  @Test
  void theBytesOfARefusalAreThoseThatTheLookupNeeds() {
    serve("max-in-flight-bytes = 1M");
    server.refusal(request(IDS));

    Status refusal = server.refusal(request(IDS));

    Matcher needed =
        Pattern.compile("needs about ([0-9,]+) bytes").matcher(refusal.getDescription());
    assertThat(needed.find()).as(refusal.getDescription()).isTrue();
    // A million of rows and as many of their answer, and a little for each read.
    assertThat(Long.parseLong(needed.group(1).replace(",", ""))).isBetween(2_000_000L, 2_100_000L);
  }

  @Test
  void rowsThatAreSmallerThanThoseBeforeThemAreNotTakenForLarge() {
    Pushes.View view = pushes.view("b", "user").feature("t", Kind.KIND_STRING);
    for (int i = 0; i < 100; i++) {
      view.row("large" + i, "x".repeat(50_000)).row("small" + i, "x");
    }
    view.write("v1");
    pushes.release("b", "v1");
    serve("max-in-flight-bytes = 2M");
    String[] large = IntStream.range(0, 100).mapToObj(i -> "large" + i).toArray(String[]::new);
    String[] small = IntStream.range(0, 100).mapToObj(i -> "small" + i).toArray(String[]::new);
    for (int i = 0; i < 3; i++) {
      assertThat(server.refusal(request(large).addFeatureNames("t")).getCode())
          .isEqualTo(Code.INVALID_ARGUMENT);
      assertThat(server.ask(request(small).addFeatureNames("t")).getResultsCount()).isEqualTo(100);
    }
    assertGivenBack();
  }

  private static Code codeOf(Supplier<GetOnlineFeaturesResponse> call) {
    try {
      var unused = call.get();
      return Code.OK;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode();
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

  @Test
  void whatClientsDoToTheirStreamsIsNoTroubleToLog() {
    serve("max-in-flight-bytes = 64M, max-message-bytes = 10000");
    assertThat(server.refusal(request("x".repeat(20_000))).getCode())
        .isEqualTo(Code.RESOURCE_EXHAUSTED);
    ManagedChannel lazy =
        NettyChannelBuilder.forAddress("127.0.0.1", server.server().port())
            .usePlaintext()
            .flowControlWindow(1_000)
            .build();
    try {
      for (int i = 0; i < 10; i++) {
        Unread call = new Unread(lazy, request(IDS).build());
        soon()
            .untilAsserted(
                () ->
                    assertThat(server.metrics())
                        .containsEntry("tarn_in_flight_calls", 0.0)
                        .hasEntrySatisfying(
                            TAKEN, bytes -> assertThat(bytes).isGreaterThan(900_000)));
        call.cancel();
        assertGivenBack();
      }
    } finally {
      lazy.shutdownNow();
    }
    assertThat(ServerFixture.logged("io.grpc.netty.NettyServer"))
        .noneMatch(line -> line.contains(" WARN "));
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

    void cancel() {
      call.cancel("enough", null);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      ended.complete(status);
    }
  }
}
