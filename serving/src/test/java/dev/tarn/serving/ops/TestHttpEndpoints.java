package dev.tarn.serving.ops;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.LookupServer;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import dev.tarn.serving.live.LiveFixture;
import io.grpc.Status.Code;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Checks what a browser, Prometheus and a probe see, and the access log. */
class TestHttpEndpoints extends ServingTest {

  private static final String LOOKUP =
      "{method=\"feature_store.v1.FeatureStoreService/GetOnlineFeatures\",status=\"%s\"}";

  TestHttpEndpoints() {
    super(RedisFixture.start());
  }

  @Test
  void callsAreCountedAndTimedByMethodAndStatus() {
    push("v1");
    serve();
    assertThat(server.ask("u1", "u2", "u3").getResultsCount()).isEqualTo(3);
    assertThat(server.ask("u1").getResultsCount()).isEqualTo(1);
    assertThat(server.refusal(request()).getCode()).isEqualTo(Code.INVALID_ARGUMENT);

    // A call is counted when its stream is closed, shortly after the client has the answer.
    soon()
        .untilAsserted(
            () ->
                assertThat(server.metrics())
                    .containsEntry("tarn_requests_total" + LOOKUP.formatted("OK"), 2.0)
                    .containsEntry(
                        "tarn_requests_total" + LOOKUP.formatted("INVALID_ARGUMENT"), 1.0)
                    .containsEntry(
                        "tarn_request_duration_seconds_count" + LOOKUP.formatted("OK"), 2.0)
                    .containsEntry("tarn_stage_duration_seconds_count{stage=\"queue\"}", 3.0)
                    .containsEntry("tarn_stage_duration_seconds_count{stage=\"redis\"}", 2.0)
                    .containsEntry("tarn_stage_duration_seconds_count{stage=\"decode\"}", 2.0)
                    .containsEntry("tarn_stage_duration_seconds_count{stage=\"encode\"}", 2.0)
                    .containsEntry("tarn_in_flight_calls", 0.0)
                    .containsEntry("tarn_shed_calls_total", 0.0)
                    .containsEntry("tarn_rows_total{feature_view=\"a\",result=\"found\"}", 3.0)
                    .containsEntry("tarn_rows_total{feature_view=\"a\",result=\"missing\"}", 1.0)
                    .containsKey("jvm_threads_current"));
  }

  @Test
  void everyViewHasTheAgeAndStalenessOfItsReleasedVersion() {
    push("v1");
    serve();

    Map<String, Double> metrics = server.metrics();

    // The fixture's as-of is a minute before its release.
    double age = metrics.get("tarn_view_age_seconds{feature_view=\"a\"}");
    double staleness = metrics.get("tarn_view_staleness_seconds{feature_view=\"a\"}");
    assertThat(age - staleness).isBetween(59.0, 62.0);
    assertThat(staleness).isGreaterThanOrEqualTo(0);
    assertThat(metrics)
        .containsEntry(
            "tarn_view_version_info{feature_view=\"a\",snapshot_id=\"1\",version=\"v1\"}", 1.0);
  }

  @Test
  void theNearCacheTellsWhatItHasHadAndGivenUp() {
    pushes
        .view("a", "user")
        .feature("n", Kind.KIND_BIGINT)
        .row("u1", 1L)
        .row("u2", 2L)
        .row("u3", 3L)
        .write("v1");
    pushes.release("a", "v1");
    // There is room for two rows.
    serve("near-cache-bytes = 500");

    for (int time = 0; time < 2; time++) {
      assertThat(server.ask("u1", "u2").getResultsCount()).isEqualTo(2);
    }
    assertThat(server.metrics())
        .containsEntry("tarn_near_cache_hits_total", 2.0)
        .containsEntry("tarn_near_cache_misses_total", 2.0)
        .containsEntry("tarn_near_cache_evictions_total", 0.0)
        .containsEntry("tarn_near_cache_rows", 2.0)
        // Answers from memory count too.
        .containsEntry("tarn_rows_total{feature_view=\"a\",result=\"found\"}", 4.0);
    double bytes = server.metrics().get("tarn_near_cache_bytes");
    assertThat(bytes).isBetween(400.0, 500.0);

    assertThat(server.ask("u3").getResultsCount()).isEqualTo(1);
    assertThat(server.metrics())
        .containsEntry("tarn_near_cache_evictions_total", 1.0)
        .containsEntry("tarn_near_cache_rows", 2.0)
        .containsEntry("tarn_near_cache_bytes", bytes);
  }

  @Test
  void theMetricsAreThoseOfTheDocumentation() throws IOException {
    push("v1");
    pushes.overwriteRow("a", "v1", "u1", utf8("garbage"));
    // Nobody follows its stream, so it lags.
    var unused = new LiveFixture(pushes, settings.keys()).event("u1", 0, 0, 1L).push("v1", 4, 0);
    pushes.release(LiveFixture.VIEW, "v1");
    serve("near-cache-bytes = 1M");
    assertThat(server.ask("u1", "u2").getResultsCount()).isEqualTo(2);
    Path documentation = Path.of(System.getProperty("tarn.home"), "docs", "serving.md");
    Set<String> documented =
        Files.readAllLines(documentation).stream()
            .filter(line -> line.startsWith("| `tarn_"))
            .flatMap(
                line -> Pattern.compile("tarn_\\w+").matcher(line.split("\\|", -1)[1]).results())
            .map(MatchResult::group)
            .collect(Collectors.toSet());

    soon()
        .untilAsserted(
            () ->
                assertThat(
                        server.metrics().keySet().stream()
                            .filter(name -> name.startsWith("tarn_"))
                            .map(name -> name.replaceAll("\\{.*", ""))
                            .map(
                                name -> name.replaceAll("_seconds_(bucket|count|sum)$", "_seconds"))
                            .collect(Collectors.toSet()))
                    .isEqualTo(documented));
  }

  @Test
  void theNextReleaseTakesThePlaceOfTheLast() {
    push("v1");
    serve();
    push("v2");

    soon()
        .untilAsserted(
            () ->
                assertThat(server.metrics().keySet())
                    .filteredOn(name -> name.startsWith("tarn_view_version_info"))
                    .containsExactly(
                        "tarn_view_version_info{feature_view=\"a\",snapshot_id=\"1\",version=\"v2\"}"));
  }

  @Test
  void rowsThatDoNotDecodeAreCounted() {
    push("v1");
    pushes.overwriteRow("a", "v1", "u1", utf8("garbage"));
    serve();
    assertThat(server.ask("u1", "u2").getResultsCount()).isEqualTo(2);

    assertThat(server.metrics()).containsEntry("tarn_corrupt_rows_total{feature_view=\"a\"}", 1.0);
  }

  @Test
  void anOutageOfRedisIsSeenAndLeavesTheServerReady() {
    push("v1");
    serve();
    assertThat(server.metrics())
        .containsEntry("tarn_redis_up", 1.0)
        .containsEntry("tarn_redis_connections", Runtime.getRuntime().availableProcessors() + 1.0)
        .containsEntry("tarn_redis_reconnects_total", 0.0);

    redis.stop();

    soon()
        .untilAsserted(
            () ->
                assertThat(server.metrics())
                    .containsEntry("tarn_redis_up", 0.0)
                    .containsEntry("tarn_redis_connections", 0.0));
    assertThat(server.http("/readyz").statusCode()).isEqualTo(200);

    redis.restart();

    soon()
        .untilAsserted(
            () ->
                assertThat(server.metrics())
                    .containsEntry("tarn_redis_up", 1.0)
                    .containsEntry("tarn_redis_reconnects_total", 1.0));
  }

  @Test
  void theServerIsAliveAtOnceAndReadyOnceItHasReadWhatIsReleased() {
    redis.stop();
    serve();

    assertThat(server.http("/healthz").statusCode()).isEqualTo(200);
    assertThat(server.http("/readyz").statusCode()).isEqualTo(503);
    assertThat(server.http("/readyz").body())
        .startsWith("not ready: Redis at %s does not answer (".formatted(settings.address()));

    redis.restart();

    soon().until(() -> server.http("/readyz").statusCode() == 200);
  }

  @Test
  void aDrainingServerIsNotReady() throws InterruptedException {
    push("v1");
    redisTimeout(LONG);
    serve();
    redis.suspend();
    var underWay = server.askLater("u1");
    soon()
        .untilAsserted(
            () -> assertThat(server.metrics()).containsEntry("tarn_in_flight_calls", 1.0));
    Thread stopping = new Thread(server::stop);
    stopping.start();

    soon()
        .untilAsserted(
            () -> {
              assertThat(server.http("/readyz").statusCode()).isEqualTo(503);
              assertThat(server.http("/readyz").body())
                  .isEqualTo("not ready: the server is stopping\n");
            });
    assertThat(server.http("/healthz").statusCode()).isEqualTo(200);
    redis.resume();
    stopping.join();
    assertThat(underWay).succeedsWithin(Duration.ofSeconds(30));
  }

  @Test
  void otherPathsAndMethodsAreRefused() throws IOException, InterruptedException {
    serve();

    assertThat(server.http("/").statusCode()).isEqualTo(404);
    assertThat(server.http("/metricsx").statusCode()).isEqualTo(404);
    assertThat(server.http("/metrics/../healthz/x").statusCode()).isEqualTo(404);
    HttpResponse<String> posted =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(server.uri("/metrics"))
                    .POST(BodyPublishers.ofString("x"))
                    .build(),
                BodyHandlers.ofString());
    assertThat(posted.statusCode()).isEqualTo(405);
  }

  @Test
  void probesAreAnsweredWhateverOtherRequestsDo() throws IOException {
    push("v1");
    serve();
    List<Socket> halfOpen = new ArrayList<>();
    try {
      for (int i = 0; i < 600; i++) {
        Socket socket =
            new Socket(InetAddress.getLoopbackAddress(), server.server().httpPort().orElseThrow());
        halfOpen.add(socket);
        // Nothing, a line, a head without end, a body that does not come, an answer not read.
        String sent =
            List.of(
                    "",
                    "GET /healthz HT",
                    "GET /metrics HTTP/1.1\r\nHost: x\r\n",
                    "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
                    "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                .get(i % 5);
        socket.getOutputStream().write(sent.getBytes(StandardCharsets.US_ASCII));
      }

      for (String path : List.of("/healthz", "/readyz", "/metrics")) {
        soon().until(() -> server.http(path).statusCode() == 200);
      }
    } finally {
      for (Socket socket : halfOpen) {
        socket.close();
      }
    }
  }

  @Test
  void aRequestThatIsNoHttpIsRefused() throws IOException {
    serve();
    for (String wrong :
        List.of("hello\r\n\r\n", "GET /%zz HTTP/1.1\r\n\r\n", "GET " + "x".repeat(9_999))) {
      try (Socket socket =
          new Socket(InetAddress.getLoopbackAddress(), server.server().httpPort().orElseThrow())) {
        socket.getOutputStream().write(wrong.getBytes(StandardCharsets.US_ASCII));
        String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(answer).startsWith("HTTP/1.1 400 ").endsWith("this is no HTTP request\n");
      }
    }
  }

  @Test
  void headHasTheHeadersAlone() throws IOException, InterruptedException {
    serve();
    HttpResponse<String> head =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(server.uri("/healthz"))
                    .method("HEAD", BodyPublishers.noBody())
                    .build(),
                BodyHandlers.ofString());

    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.headers().firstValue("content-length")).hasValue("6");
    assertThat(head.body()).isEmpty();
  }

  @Test
  void aPortInUseIsSaidAndNothingStaysBehind() {
    serve();
    int taken = server.server().httpPort().orElseThrow();
    int grpc = RedisFixture.freePort();

    assertThatThrownBy(
            () ->
                LookupServer.start(
                    ServerFixture.settings("port = %d, http-port = %d".formatted(grpc, taken)),
                    settings))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("can't listen on 127.0.0.1:%d (".formatted(taken))
        .hasMessageEndingWith("): stop what uses it or set serving.http-port (-1: no metrics)");

    new ServerFixture(settings, ServerFixture.settings("port = " + grpc)).close();
  }

  @Test
  void withoutAnHttpPortNothingIsServed() {
    serve("http-port = -1");

    assertThat(server.server().httpPort()).isEmpty();
  }

  @Test
  void theAccessLogHasALineOfJsonForEachSampledCallAndNoEntityIds() {
    push("v1");
    String secret = "id-that-nobody-may-log";
    serve("access-log-sample = 1.0");
    assertThat(server.ask(secret, "u1").getResultsCount()).isEqualTo(2);

    soon().until(() -> !lines().isEmpty());
    JsonObject line = JsonParser.parseString(lines().get(lines().size() - 1)).getAsJsonObject();
    assertThat(line.get("method").getAsString())
        .isEqualTo("feature_store.v1.FeatureStoreService/GetOnlineFeatures");
    assertThat(line.get("status").getAsString()).isEqualTo("OK");
    assertThat(line.get("entities").getAsInt()).isEqualTo(2);
    assertThat(line.keySet()).containsExactly("time", "method", "status", "entities", "micros");
    assertThat(ServerFixture.logged(secret)).isEmpty();
  }

  private static List<String> lines() {
    return ServerFixture.logged(" access: {").stream()
        .map(line -> line.substring(line.indexOf('{')))
        .filter(line -> line.contains("\"entities\":2"))
        .toList();
  }

  private void push(String version) {
    pushes
        .view("a", "user")
        .feature("n", Kind.KIND_BIGINT)
        .row("u1", 1L)
        .row("u2", 2L)
        .write(version);
    pushes.release("a", version);
  }
}
