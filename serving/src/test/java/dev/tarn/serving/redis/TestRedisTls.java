package dev.tarn.serving.redis;

import static dev.tarn.serving.ServerFixture.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.TlsFiles;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks a real Redis that speaks TLS on one port and plain text, for pushes, on another. */
class TestRedisTls {

  @TempDir private Path folder;
  private RedisFixture redis;
  private ServerFixture server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.close();
    }
    if (redis != null) {
      redis.close();
    }
  }

  @Test
  void lookupsGoOverTls() {
    RedisSettings tls = start("ip:127.0.0.1,dns:localhost");

    server = new ServerFixture(tls);

    assertThat(server.server().trouble()).isEmpty();
    assertThat(server.ask("u1").getResultsOrThrow("u1").getFeaturesOrThrow("n").getNumberValue())
        .isEqualTo(1);
  }

  @Test
  void aCertificateThatIsNotTrustedIsRefused() {
    RedisSettings tls = start("ip:127.0.0.1");

    server = new ServerFixture(with(tls, tls.port(), ""));

    assertThat(server.refusal(request("u1")).getDescription())
        .startsWith("no TLS with Redis at %s (unable to find valid".formatted(tls.address()))
        .contains("): redis.tls-ca names a PEM file with the certificates to trust, ");
  }

  @Test
  void aCertificateOfAnotherHostIsRefused() {
    RedisSettings tls = start("dns:elsewhere.example");

    server = new ServerFixture(tls);

    assertThat(server.refusal(request("u1")).getDescription())
        .startsWith("no TLS with Redis at %s (No subject alternative".formatted(tls.address()))
        .contains("redis.host has to be a name in the server's certificate");
  }

  @Test
  void aRedisWithoutTlsIsSaid() {
    redis = RedisFixture.start();
    RedisSettings plain = redis.settings();

    server = new ServerFixture(with(plain, plain.port(), ""));

    assertThat(server.refusal(request("u1")).getDescription())
        .startsWith("Redis at %s does not answer (".formatted(plain.address()))
        .endsWith("; redis.tls = false is for a Redis without TLS");
  }

  @Test
  void aFileWithoutCertificatesIsRefusedAtTheStart() throws IOException {
    RedisSettings plain = RedisFixture.shared().settings();
    Path missing = folder.resolve("missing.pem");
    Path empty = Files.createFile(folder.resolve("empty.pem"));
    Path other = Files.writeString(folder.resolve("other.pem"), "not a certificate");

    assertRefused(with(plain, plain.port(), missing.toString()), missing, "it can't be read: ");
    assertRefused(with(plain, plain.port(), empty.toString()), empty, "it has no certificates");
    assertRefused(with(plain, plain.port(), other.toString()), other, "it has ");
  }

  private static void assertRefused(RedisSettings settings, Path file, String why) {
    assertThatThrownBy(() -> new ServerFixture(settings))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("redis.tls-ca = '%s': %s".formatted(file, why))
        .hasMessageEndingWith("; name a PEM file with the certificates to trust");
  }

  /** Starts Redis with a certificate of these names and with the row of u1. */
  private RedisSettings start(String names) {
    TlsFiles files = TlsFiles.make(folder, names);
    int port = RedisFixture.freePort();
    redis =
        RedisFixture.start(
            "tls-port " + port,
            "tls-key-file " + files.key(),
            "tls-cert-file " + files.certificate(),
            "tls-ca-cert-file " + files.certificate(),
            "tls-auth-clients no");
    RedisSettings plain = redis.settings();
    try (Pushes pushes = new Pushes(plain)) {
      pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 1L).write("v1");
      pushes.release("a", "v1");
    }
    return with(plain, port, files.certificate().toString());
  }

  private static RedisSettings with(RedisSettings plain, int port, String tlsCa) {
    return new RedisSettings(
        plain.host(), port, 0, "", "", true, tlsCa, Duration.ofSeconds(2), plain.keys());
  }
}
