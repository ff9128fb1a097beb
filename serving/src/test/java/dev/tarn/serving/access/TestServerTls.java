package dev.tarn.serving.access;

import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.redis.TlsFiles;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Status.Code;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks clients that speak TLS with the server, also in the ways that go wrong. */
class TestServerTls extends ServingTest {

  private static final String NAMES = "ip:127.0.0.1,dns:localhost";

  @TempDir private Path folder;
  private TlsFiles serving;
  private TlsFiles client;

  @BeforeEach
  void prepare() throws IOException {
    push(1);
    serving = TlsFiles.make(Files.createDirectory(folder.resolve("serving")), NAMES);
    client = TlsFiles.make(Files.createDirectory(folder.resolve("client")), "dns:client.example");
  }

  @Test
  void lookupsGoOverTls() throws IOException {
    start(tls());

    assertThat(ask(trusting(serving).build())).isEqualTo(1);
  }

  @Test
  void aClientWithoutTlsOrTrustIsRefused() throws IOException {
    start(tls());

    assertUnavailable(InsecureChannelCredentials.create());
    assertUnavailable(trusting(client).build());
  }

  @Test
  void withAClientCaAClientNeedsACertificateOfIt() throws IOException {
    start(tls() + "tls.client-ca = \"%s\"\n".formatted(client.certificate()));

    assertThat(
            ask(
                trusting(serving)
                    .keyManager(file(client.certificate()), file(client.key()))
                    .build()))
        .isEqualTo(1);
    assertUnavailable(trusting(serving).build());
    assertUnavailable(
        trusting(serving).keyManager(file(serving.certificate()), file(serving.key())).build());
  }

  @Test
  void aRenewedCertificateIsTakenWithoutARestart() throws IOException {
    start(tls());
    assertThat(ask(trusting(serving).build())).isEqualTo(1);
    TlsFiles renewed = TlsFiles.make(Files.createDirectory(folder.resolve("renewed")), NAMES);

    // The new key alone fits no certificate, so the old pair stays in use.
    Files.copy(renewed.key(), serving.key(), StandardCopyOption.REPLACE_EXISTING);
    soon()
        .until(
            () ->
                !ServerFixture.logged(
                        "serving.tls.key = '%s': it is not the key of the certificate"
                            .formatted(serving.key()))
                    .isEmpty());
    assertThat(ask(trusting(serving).build())).isEqualTo(1);
    ChannelCredentials old = trusting(serving).build();

    Files.copy(renewed.certificate(), serving.certificate(), StandardCopyOption.REPLACE_EXISTING);

    soon().untilAsserted(() -> assertThat(ask(trusting(renewed).build())).isEqualTo(1));
    assertUnavailable(old);
  }

  @Test
  void clientsOfARenewedAuthorityAreLetInWithoutARestart() throws IOException {
    start(tls() + "tls.client-ca = \"%s\"\n".formatted(client.certificate()));
    TlsFiles other =
        TlsFiles.make(Files.createDirectory(folder.resolve("other")), "dns:other.example");
    ChannelCredentials others =
        trusting(serving).keyManager(file(other.certificate()), file(other.key())).build();
    assertUnavailable(others);

    Files.copy(other.certificate(), client.certificate(), StandardCopyOption.REPLACE_EXISTING);

    soon().untilAsserted(() -> assertThat(ask(others)).isEqualTo(1));
  }

  @Test
  void filesThatCannotBeUsedAreRefusedAtTheStart() throws IOException {
    Path missing = folder.resolve("missing.pem");
    Path other = Files.writeString(folder.resolve("other.pem"), "no PEM, but secret");

    assertRefused(
        missing,
        serving.key(),
        "serving.tls.certificate = '%s': it can't be read: ".formatted(missing));
    assertRefused(other, serving.key(), "serving.tls.certificate = '%s': it has ".formatted(other));
    assertRefused(
        serving.certificate(),
        other,
        "serving.tls.key = '%s': it has no PRIVATE KEY in PKCS#8 (openssl pkcs8 -topk8 -nocrypt makes one)"
            .formatted(other));
    assertRefused(
        serving.certificate(),
        client.key(),
        "serving.tls.key = '%s': it is not the key of the certificate in '%s'"
            .formatted(client.key(), serving.certificate()));
  }

  private void assertRefused(Path certificate, Path key, String message) {
    assertThatThrownBy(() -> start(tls(certificate, key)))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(message)
        .hasMessageNotContaining("secret");
  }

  private void start(String tls) {
    serve(tls, "reload = 50 ms");
  }

  private String tls() {
    return tls(serving.certificate(), serving.key());
  }

  private static String tls(Path certificate, Path key) {
    return "tls.certificate = \"%s\"\ntls.key = \"%s\"\n".formatted(certificate, key);
  }

  private static TlsChannelCredentials.Builder trusting(TlsFiles files) throws IOException {
    return TlsChannelCredentials.newBuilder().trustManager(file(files.certificate()));
  }

  private static File file(Path path) {
    return path.toFile();
  }

  private void assertUnavailable(ChannelCredentials credentials) {
    assertThat(ServerFixture.refusal(() -> ask(credentials)).getCode()).isEqualTo(Code.UNAVAILABLE);
  }

  private double ask(ChannelCredentials credentials) {
    return number(server.askOver(credentials, "u1"), "u1");
  }
}
