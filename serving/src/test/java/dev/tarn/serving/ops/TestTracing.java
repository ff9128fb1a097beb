package dev.tarn.serving.ops;

import static dev.tarn.serving.ServerFixture.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.ByteString;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.stub.MetadataUtils;
import io.opentelemetry.proto.trace.v1.Span;
import io.opentelemetry.proto.trace.v1.Span.SpanKind;
import io.opentelemetry.proto.trace.v1.Status.StatusCode;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Checks spans as a collector gets them. A server has sent all of its spans once it is stopped. */
class TestTracing extends ServingTest {

  private static final String METHOD = "feature_store.v1.FeatureStoreService/GetOnlineFeatures";
  private static final String TRACE = "0af7651916cd43dd8448eb211c80319c";
  private static final String CLIENT = "b7ad6b7169203331";

  private final SpanReceiver receiver = SpanReceiver.start();

  @AfterEach
  void closeReceiver() {
    receiver.close();
  }

  @Test
  void aCallIsASpanOfItsClientsTraceAndItsReadOfRedisIsBelowIt() {
    push(1);
    trace(receiver, 0);

    ask("00-%s-%s-01".formatted(TRACE, CLIENT), "u1", "secret-id");
    server.stop();

    assertThat(receiver.spans()).hasSize(2);
    Span call = only("feature_store", receiver.spans());
    assertThat(call.getName()).isEqualTo(METHOD);
    assertThat(call.getKind()).isEqualTo(SpanKind.SPAN_KIND_SERVER);
    assertThat(hex(call.getTraceId())).isEqualTo(TRACE);
    assertThat(hex(call.getParentSpanId())).isEqualTo(CLIENT);
    assertThat(SpanReceiver.values(call.getAttributesList()))
        .containsOnly(
            entry("rpc.system.name", "grpc"),
            entry("rpc.method", METHOD),
            entry("rpc.status_code", "OK"),
            entry("tarn.entities", "2"));
    Span read = only("HGET", receiver.spans());
    assertThat(read.getKind()).isEqualTo(SpanKind.SPAN_KIND_CLIENT);
    assertThat(hex(read.getTraceId())).isEqualTo(TRACE);
    assertThat(read.getParentSpanId()).isEqualTo(call.getSpanId());
    assertThat(SpanReceiver.values(read.getAttributesList()))
        .containsOnly(
            entry("db.system.name", "redis"),
            entry("db.operation.name", "HGET"),
            entry("db.operation.batch.size", "2"),
            entry("server.address", "127.0.0.1"),
            entry("server.port", Integer.toString(settings.port())));
    assertThat(
            List.of(
                call.getStartTimeUnixNano(),
                call.getEvents(0).getTimeUnixNano(),
                read.getStartTimeUnixNano(),
                read.getEndTimeUnixNano(),
                call.getEndTimeUnixNano()))
        .isSorted();
    assertThat(receiver.resource()).containsEntry("service.name", "tarn-serving");
    assertThat(receiver.spans().toString()).doesNotContain("secret-id");
  }

  @Test
  void whatItsClientDoesNotTraceIsNotTraced() {
    push(1);
    trace(receiver, 1);

    ask("00-%s-%s-00".formatted(TRACE, CLIENT), "u1");
    server.stop();

    assertThat(receiver.spans()).isEmpty();
  }

  @Test
  void aCallThatNamesNoTraceBeginsOneIfItIsInTheSample() {
    push(1);
    trace(receiver, 1);

    assertThat(number()).isEqualTo(1);
    ask("00-nonsense\u007f", "u1");
    server.stop();

    assertThat(receiver.spans()).hasSize(4);
    assertThat(receiver.spans().stream().filter(span -> span.getParentSpanId().isEmpty()))
        .extracting(Span::getName)
        .containsExactly(METHOD, METHOD);
  }

  @Test
  void outsideTheSampleNothingIsTraced() {
    push(1);
    trace(receiver, 0);

    assertThat(number()).isEqualTo(1);
    server.stop();

    assertThat(receiver.spans()).isEmpty();
  }

  @Test
  void aFailureOfRedisIsOneOfBothSpans() {
    RedisFixture own = RedisFixture.start();
    useInstead(own, own.settings(Duration.ofMillis(200), "", 0));
    push(1);
    trace(receiver, 1);
    redis.suspend();

    assertThat(server.refusal(request("u1")).getCode()).isEqualTo(Code.UNAVAILABLE);
    server.stop();

    assertThat(receiver.spans())
        .hasSize(2)
        .allMatch(span -> span.getStatus().getCode() == StatusCode.STATUS_CODE_ERROR);
    assertThat(only("HGET", receiver.spans()).getStatus().getMessage())
        .contains("Redis at " + settings.address() + " does not answer");
  }

  @Test
  void aReceiverThatIsGoneOrMuteHarmsNoAnswer() {
    push(1);
    try (SpanReceiver mute = SpanReceiver.mute()) {
      for (String endpoint :
          List.of(mute.endpoint(), "http://127.0.0.1:" + RedisFixture.freePort())) {
        serve("tracing { endpoint = \"%s\", sample = 1.0 }".formatted(endpoint));
        // These are more spans than the queue for the receiver holds.
        for (int i = 0; i < 2_000; i++) {
          assertThat(number()).isEqualTo(1);
        }
        assertThat(CompletableFuture.runAsync(server::close))
            .succeedsWithin(Duration.ofSeconds(30));
      }
      assertThat(mute.spans()).isNotEmpty();
    }
  }

  private void trace(SpanReceiver to, double sample) {
    serve("tracing { endpoint = \"%s\", sample = %s }".formatted(to.endpoint(), sample));
  }

  private void ask(String traceparent, String... ids) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER), traceparent);
    assertThat(
            server
                .stub()
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
                .getOnlineFeatures(request(ids).build())
                .getResultsCount())
        .isEqualTo(ids.length);
  }

  private static Span only(String name, List<Span> spans) {
    List<Span> named = spans.stream().filter(span -> span.getName().startsWith(name)).toList();
    assertThat(named).hasSize(1);
    return named.get(0);
  }

  private static String hex(ByteString bytes) {
    return HexFormat.of().formatHex(bytes.toByteArray());
  }
}
