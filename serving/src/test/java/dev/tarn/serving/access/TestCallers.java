package dev.tarn.serving.access;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.TlsFiles;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import dev.tarn.serving.client.Get;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks callers who may read some views or services, and try to read others. */
class TestCallers extends ServingTest {

  private static final String TOKEN = "a-token-that-nobody-guesses";
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  @TempDir private Path folder;

  @BeforeEach
  void push() {
    pushes
        .view("open", "user")
        .feature("n", Kind.KIND_BIGINT)
        .feature("both", Kind.KIND_BIGINT)
        .row("u1", 1L, 10L)
        .write("v1");
    pushes
        .view("secret", "user")
        .feature("s", Kind.KIND_BIGINT)
        .feature("both", Kind.KIND_BIGINT)
        .row("u1", 2L, 20L)
        .row("only-secret", 2L, 20L)
        .write("v1");
    pushes.view("shops", "shop").feature("x", Kind.KIND_BIGINT).row("s1", 3L).write("v1");
    pushes.release(Map.of("open", "v1", "secret", "v1", "shops", "v1"));
    pushes.service("fraud", "user", "secret.s", "open.n");
    pushes.service("other", "user", "secret.s");
  }

  @Test
  void withoutATokenOrWithAWrongOneNobodyIsAnswered() throws IOException {
    start("views = [open]");

    for (String authorization :
        List.of("Bearer wrong", "Bearer ", "Bearer", "", TOKEN, "Basic " + TOKEN, sha256(TOKEN))) {
      Status refused = refusal(stub(authorization), request("u1"));
      assertThat(refused.getCode()).isEqualTo(Code.UNAUTHENTICATED);
      assertThat(refused.getDescription()).doesNotContain(TOKEN);
    }
    Status nobody = server.refusal(request("u1"));
    assertThat(nobody.getCode()).isEqualTo(Code.UNAUTHENTICATED);
    assertThat(nobody.getDescription()).startsWith("who calls? send 'authorization: Bearer ");
    assertThat(
            ServerFixture.refusal(
                    () ->
                        server
                            .stub()
                            .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance()))
                .getCode())
        .isEqualTo(Code.UNAUTHENTICATED);
    assertThat(
            ServerFixture.refusal(
                    () ->
                        server
                            .legacy()
                            .getOnlineFeatures(
                                dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                                    .addEntityIds("u1")
                                    .build()))
                .getCode())
        .isEqualTo(Code.UNAUTHENTICATED);
  }

  @Test
  void healthIsOpenAndReflectionIsNot() throws IOException {
    start("views = [open]");

    assertThat(server.health("")).isEqualTo(ServingStatus.SERVING);
    assertThat(server.reflection(new Metadata()))
        .failsWithin(Duration.ofSeconds(30))
        .withThrowableOfType(ExecutionException.class)
        .withMessageContaining("UNAUTHENTICATED");
    assertThat(server.reflection(headers("Bearer " + TOKEN)))
        .succeedsWithin(Duration.ofSeconds(30));
  }

  @Test
  void aCallerSeesItsViewsAndNoOthers() throws IOException {
    start("views = [open]");

    FeatureSet all = ask(request("u1")).getResultsOrThrow("u1");
    assertThat(ServerFixture.values(all)).isEqualTo(Map.of("n", 1.0, "both", 10.0));
    assertThat(ask(request("u1")).getVersionsList())
        .extracting(ViewVersion::getFeatureView)
        .containsExactly("open");
    assertThat(
            stub("Bearer " + TOKEN)
                .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
                .getFeatureViewsList())
        .extracting(FeatureView::getName)
        .containsExactly("open");
    // Only the hidden view has it, so to this caller it is as unknown as any other name.
    assertThat(ask(request("only-secret")).getResultsOrThrow("only-secret"))
        .isEqualTo(ask(request("nobody")).getResultsOrThrow("nobody"));
  }

  @Test
  void whatIsNotAllowedIsDeniedInTheWordsForWhatIsNotThere() throws IOException {
    start("views = [open]");

    assertDeniedAlike(request("u1").addFeatureNames("NAME"), "secret.s", "secret.no");
    assertDeniedAlike(request("u1").addFeatureNames("NAME"), "s", "t");
    assertDeniedAlike(request("u1").setFeatureService("NAME"), "fraud", "freud");
    assertDeniedAlike(request("u1").setEntity("NAME"), "shop", "ship");
    assertThat(refusal(request("u1").addFeatureNames("n").addFeatureNames("secret.s")))
        .isEqualTo(
            "PERMISSION_DENIED: feature_names[1]: caller 'model' may not read feature 'secret.s', if there is such a thing");
  }

  @Test
  void theFirstEntityIsTheFirstOfThoseThatTheCallerSees() throws IOException {
    pushes.view("carts", "cart").feature("y", Kind.KIND_BIGINT).row("s1", 4L).write("v1");
    pushes.entities("user", "shop", "cart");
    pushes.release("carts", "v1");
    start("views = [carts, shops]");

    assertThat(ServerFixture.values(ask(request("s1")).getResultsOrThrow("s1")))
        .isEqualTo(Map.of("x", 3.0));
  }

  @Test
  void aServiceMayBeUsedWithoutItsViews() throws IOException {
    start("services = [fraud]");

    FeatureSet answer = ask(request("u1").setFeatureService("fraud")).getResultsOrThrow("u1");
    assertThat(ServerFixture.values(answer)).isEqualTo(Map.of("secret.s", 2.0, "open.n", 1.0));
    assertDeniedAlike(request("u1").setFeatureService("NAME"), "other", "none");
    assertThat(refusal(request("u1").addFeatureNames("secret.s")))
        .startsWith("PERMISSION_DENIED: feature_names: caller 'model' may not read ");
    assertThat(refusal(request("u1"))).startsWith("PERMISSION_DENIED: ");
    assertThat(
            stub("Bearer " + TOKEN)
                .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
                .getFeatureViewsList())
        .isEmpty();
  }

  @Test
  void aStarIsAllOfThem() throws IOException {
    start("views = [\"*\"], services = [\"*\"]");

    assertThat(ServerFixture.values(ask(request("u1").setEntity("user")).getResultsOrThrow("u1")))
        .isEqualTo(Map.of("n", 1.0, "s", 2.0, "open.both", 10.0, "secret.both", 20.0));
    assertThat(ask(request("u1").setFeatureService("other")).getResultsCount()).isEqualTo(1);
  }

  @Test
  void callersThatComeAndGoNeedNoRestart() throws IOException {
    Path file = start("views = [open]");
    assertThat(ask(request("u1")).getResultsCount()).isEqualTo(1);

    Files.writeString(file, "callers { broken");
    soon().until(() -> !ServerFixture.logged("serving.callers = '%s'".formatted(file)).isEmpty());
    assertThat(ask(request("u1")).getResultsCount()).isEqualTo(1);

    Files.writeString(file, "callers {}");
    soon()
        .ignoreNoExceptions()
        .untilAsserted(
            () ->
                assertThatThrownBy(() -> ask(request("u1")))
                    .hasMessageStartingWith("UNAUTHENTICATED: "));
  }

  @Test
  void aCertificateNamesItsCaller() throws IOException {
    TlsFiles serving =
        TlsFiles.make(Files.createDirectory(folder.resolve("serving")), "ip:127.0.0.1");
    TlsFiles client =
        TlsFiles.make(Files.createDirectory(folder.resolve("client")), "dns:model.example");
    // Both have the common name tarn-test.
    for (String name : List.of("model.example", "tarn-test")) {
      startWith(
          "callers { model { certificate = %s, views = [open] } }".formatted(name),
          """
          tls { certificate = "%s", key = "%s", client-ca = "%s" }
          """
              .formatted(serving.certificate(), serving.key(), client.certificate()));
      assertThat(askOver(serving, client)).containsEntry("n", 1.0);
      server.close();
    }
    startWith(
        "callers { model { certificate = elsewhere.example, views = [open] } }",
        """
        tls { certificate = "%s", key = "%s", client-ca = "%s" }
        """
            .formatted(serving.certificate(), serving.key(), client.certificate()));
    assertThatThrownBy(() -> askOver(serving, client)).hasMessageStartingWith("UNAUTHENTICATED: ");
  }

  @Test
  void getShowsACertificate() throws IOException, InterruptedException {
    TlsFiles serving =
        TlsFiles.make(Files.createDirectory(folder.resolve("serving")), "ip:127.0.0.1");
    TlsFiles client =
        TlsFiles.make(Files.createDirectory(folder.resolve("client")), "dns:model.example");
    startWith(
        "callers { model { certificate = model.example, views = [open] } }",
        """
        tls { certificate = "%s", key = "%s", client-ca = "%s" }
        """
            .formatted(serving.certificate(), serving.key(), client.certificate()));

    assertThat(
            get(
                "ca=" + serving.certificate(),
                "cert=" + client.certificate(),
                "key=" + client.key()))
        .contains("\"features\":{\"both\":10,\"n\":1}");
    assertThatThrownBy(() -> get("ca=" + serving.certificate()))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("UNAVAILABLE: ");
    assertThatThrownBy(() -> get("ca=" + serving.certificate(), "cert=" + client.certificate()))
        .isInstanceOf(UsageException.class)
        .hasMessage("cert= and key= go together: give both or none");
    assertThatThrownBy(() -> get("cert=" + client.certificate(), "key=" + client.key()))
        .isInstanceOf(UsageException.class)
        .hasMessage("cert= and key= are for a server with TLS: give its ca= too");
    Path none = folder.resolve("none.pem");
    assertThatThrownBy(
            () -> get("ca=" + serving.certificate(), "cert=" + client.certificate(), "key=" + none))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("key = '%s': it can't be read: ".formatted(none));
    assertThatThrownBy(
            () ->
                get(
                    "ca=" + serving.certificate(),
                    "cert=" + client.certificate(),
                    "key=" + client.certificate()))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("ca=, cert= and key= can't be used: they are PEM files, ");
  }

  private String get(String... files) throws InterruptedException {
    List<String> words = new ArrayList<>(List.of("get", "ids=u1", "format=json"));
    words.add("target=127.0.0.1:" + server.server().port());
    words.addAll(List.of(files));
    StringBuilder said = new StringBuilder();
    Get.run(CommandLine.parse(words.toArray(String[]::new)).orElseThrow(), 1, said::append);
    return said.toString();
  }

  private static Get.TlsFiles trusting(Path ca) {
    return new Get.TlsFiles(Optional.of(ca), Optional.empty(), Optional.empty());
  }

  @Test
  void getGoesOverTlsWithAToken() throws IOException, InterruptedException {
    TlsFiles serving =
        TlsFiles.make(Files.createDirectory(folder.resolve("serving")), "ip:127.0.0.1");
    startWith(
        "callers { model { token-sha256 = %s, views = [open] } }".formatted(sha256(TOKEN)),
        "tls { certificate = \"%s\", key = \"%s\" }"
            .formatted(serving.certificate(), serving.key()));
    String target = "127.0.0.1:" + server.server().port();
    GetOnlineFeaturesRequest request = request("u1").build();

    assertThat(
            new Get(target, trusting(serving.certificate()), TOKEN)
                .ask(request)
                .getResultsOrThrow("u1")
                .getFeaturesMap())
        .containsOnlyKeys("n", "both");
    assertThatThrownBy(() -> new Get(target, trusting(serving.certificate()), "wrong").ask(request))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("UNAUTHENTICATED: the token ");
    assertThatThrownBy(
            () -> new Get(target, trusting(folder.resolve("none.pem")), TOKEN).ask(request))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(
            "ca = '%s': it can't be read: ".formatted(folder.resolve("none.pem")));
  }

  @Test
  void aFileThatCannotBeUsedIsRefusedAtTheStartAndNotQuoted() throws IOException {
    assertRefused(
        "callers { model { token-sha256 = %s } }".formatted(TOKEN),
        "line 1: token-sha256 of caller 'model' is not 64 hexadecimal digits: ");
    assertRefused(
        "callers { model { views = [a] } }",
        "line 1: caller 'model' has neither token-sha256 nor certificate");
    assertRefused(
        "callers {\n model { vievs = [a] } }", "line 2: caller 'model' has 'vievs': there are ");
    assertRefused("model { }", "line 1: there is 'model' beside callers");
    assertRefused("callers { model { token-sha256 = %s".formatted(TOKEN), "line ");
    assertRefused(
        "callers { model { certificate = c } }",
        "it has callers with a certificate, and no client shows one: set serving.tls.client-ca");
  }

  private void assertRefused(String text, String why) {
    assertThatThrownBy(() -> startWith(text, ""))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(
            "serving.callers = '%s': %s".formatted(folder.resolve("callers.conf"), why))
        .hasMessageNotContaining(TOKEN);
  }

  /** Asserts that both are refused, and that the refusals differ in nothing but the name. */
  private void assertDeniedAlike(
      GetOnlineFeaturesRequest.Builder request, String hidden, String missing) {
    String refused = refusal(named(request, hidden));
    assertThat(refused).startsWith("PERMISSION_DENIED: ").contains("'" + hidden + "'");
    assertThat(refusal(named(request, missing)))
        .isEqualTo(refused.replace("'" + hidden + "'", "'" + missing + "'"));
  }

  private static GetOnlineFeaturesRequest.Builder named(
      GetOnlineFeaturesRequest.Builder request, String name) {
    GetOnlineFeaturesRequest.Builder copy = request.build().toBuilder();
    if (copy.getFeatureNamesCount() > 0) {
      return copy.setFeatureNames(0, name);
    }
    return copy.getFeatureService().isEmpty() ? copy.setEntity(name) : copy.setFeatureService(name);
  }

  private Path start(String allowed) throws IOException {
    return startWith(
        "callers { model { token-sha256 = %s, %s } }".formatted(sha256(TOKEN), allowed), "");
  }

  private Path startWith(String callers, String changes) throws IOException {
    Path file = Files.writeString(folder.resolve("callers.conf"), callers);
    serve("callers = \"%s\"\nreload = 50 ms".formatted(file), changes);
    return file;
  }

  private GetOnlineFeaturesResponse ask(GetOnlineFeaturesRequest.Builder request) {
    return stub("Bearer " + TOKEN).getOnlineFeatures(request.build());
  }

  private String refusal(GetOnlineFeaturesRequest.Builder request) {
    Status status = refusal(stub("Bearer " + TOKEN), request);
    return status.getCode() + ": " + status.getDescription();
  }

  private static Status refusal(
      FeatureStoreServiceBlockingStub stub, GetOnlineFeaturesRequest.Builder request) {
    return ServerFixture.refusal(() -> stub.getOnlineFeatures(request.build()));
  }

  private FeatureStoreServiceBlockingStub stub(String authorization) {
    return server
        .stub()
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers(authorization)));
  }

  private static Metadata headers(String authorization) {
    Metadata headers = new Metadata();
    headers.put(AUTHORIZATION, authorization);
    return headers;
  }

  private Map<String, Object> askOver(TlsFiles serving, TlsFiles client) throws IOException {
    return ServerFixture.values(
        server
            .askOver(
                TlsChannelCredentials.newBuilder()
                    .trustManager(serving.certificate().toFile())
                    .keyManager(client.certificate().toFile(), client.key().toFile())
                    .build(),
                "u1")
            .getResultsOrThrow("u1"));
  }

  private static String sha256(String token) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
