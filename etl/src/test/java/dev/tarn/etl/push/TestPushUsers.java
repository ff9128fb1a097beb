package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.redis.RespClient;
import dev.tarn.redis.TlsFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.embedded.RedisServer;

/** Pushes over TLS, and as a user who may do what docs/redis.md says and nothing else. */
@Tag("slow")
class TestPushUsers {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String PASSWORD = "hunter2-of-pushes";

  @TempDir private Path folder;
  private RedisServer redis;

  @AfterEach
  void stop() {
    if (redis != null) {
      Workbench.stop(redis);
    }
  }

  @Test
  void theDocumentedPermissionsAreEnoughForAllJobs() throws IOException {
    redis = Workbench.startRedis(Map.of());
    Workbench bench = built(1);
    try (RespClient admin = new RespClient(redis.ports().get(0))) {
      admin.ask(documentedUser(bench).toArray(String[]::new));
      bench.set("redis.user", "tarn-push").set("redis.password", PASSWORD);
      bench.set("push.rows-per-bucket", "10").set("push.keep", "2");

      bench.push(VIEW);
      for (int points = 2; points < 5; points++) {
        build(bench, points);
        bench.push(VIEW);
      }
      assertThat(bench.run("rollback", "view=score")).isZero();
      assertThat(bench.run("push", "view=score")).isZero();
      assertThat(bench.run("unpin", "view=score")).isZero();
      assertThat(bench.run("push", "view=score", "mode=full")).isZero();
      assertThat(bench.run("versions")).isZero();
      assertThat(bench.run("expire", "older-than=0d")).isZero();
      assertThat(bench.output()).doesNotContain(PASSWORD);

      assertThat(admin.askList(List.of("ACL", "LOG"))).isEmpty();
      bench.set("redis.user", "").set("redis.password", "");
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
    }
  }

  @Test
  void aMissingRightIsNamedBeforeAnythingIsWritten() throws IOException {
    redis = Workbench.startRedis(Map.of());
    Workbench bench = built(1);
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    try (RespClient admin = new RespClient(redis.ports().get(0))) {
      for (boolean isFirst : List.of(true, false)) {
        Map<String, String> lost = new TreeMap<>();
        for (String command :
            ("time hget hgetall hset hdel hexists hvals incr unlink pexpire persist"
                    + " lrange lrem rpush publish eval")
                .split(" ", -1)) {
          lost.put("-" + command, command);
        }
        lost.put("resetchannels", "&{%s}:released".formatted(namespace));
        lost.put("resetkeys ~{%s}:*".formatted(namespace), "~%s:*".formatted(namespace));
        lost.put("resetkeys ~%s:*".formatted(namespace), "~{%s}:*".formatted(namespace));
        for (Map.Entry<String, String> right : lost.entrySet()) {
          admin.ask(documentedUser(bench).toArray(String[]::new));
          admin.ask(("ACL SETUSER tarn-push " + right.getKey()).split(" ", -1));
          bench.set("redis.user", "tarn-push").set("redis.password", PASSWORD);
          List<String> before = dumps(admin);

          assertThatThrownBy(() -> bench.push(VIEW))
              .as(right.getKey())
              .isInstanceOf(TarnException.class)
              .hasMessageContaining("does not permit what ")
              .hasMessageContaining("redis.user = 'tarn-push'")
              .hasMessageContaining(right.getValue())
              .hasMessageNotContaining("nevertheless");

          assertThat(dumps(admin)).as(right.getKey()).isEqualTo(before);
        }
        if (isFirst) {
          // And now with something that is released already.
          bench.set("redis.user", "").set("redis.password", "");
          bench.push(VIEW);
          build(bench, 2);
        }
      }
      admin.ask(documentedUser(bench).toArray(String[]::new));
      admin.ask("ACL", "SETUSER", "tarn-push", "-rpush", "-eval", "-time");
      assertThatThrownBy(() -> bench.push(VIEW))
          .hasMessageEndingWith(
              "so nothing was written. Missing: the command time, the command eval. Grant it with ACL SETUSER tarn-push +time +eval (docs/redis.md has all permissions)");
      bench.output();
      assertThat(bench.run("rollback", "view=score", "version=v1")).isEqualTo(2);
      assertThat(bench.run("expire")).isEqualTo(1);
      assertThat(bench.output()).contains("Missing: the command").doesNotContain("unexpected");
    }
  }

  /** What a command is refused that none of the others needs. */
  @Test
  void noCommandCallsARefusalUnexpected() throws IOException {
    redis = Workbench.startRedis(Map.of());
    Workbench bench = built(1);
    bench.push(VIEW);
    build(bench, 2);
    bench.push(VIEW);
    try (RespClient admin = new RespClient(redis.ports().get(0))) {
      for (String lost : List.of("-ping", "-info", "-hgetall", "-hget", "-hdel", "-rpush")) {
        admin.ask(documentedUser(bench).toArray(String[]::new));
        admin.ask("ACL", "SETUSER", "tarn-push", lost);
        bench.set("redis.user", "tarn-push").set("redis.password", PASSWORD);
        bench.output();
        for (String command : List.of("versions", "unpin view=score", "rollback view=score")) {
          int status = bench.run(command.split(" ", -1));
          String output = bench.output();
          assertThat(output).as("%s with %s", command, lost).doesNotContain("unexpected");
          if (status != 0) {
            assertThat(output)
                .as("%s with %s", command, lost)
                .contains("does not permit what", "redis.user = 'tarn-push'");
          }
        }
      }
    }
  }

  /** Counting falls back on reading. */
  @Test
  void withoutHlenAPushStillNoticesThatRowsAreGone() throws IOException {
    redis = Workbench.startRedis(Map.of());
    Workbench bench = built(1);
    try (RespClient admin = new RespClient(redis.ports().get(0))) {
      admin.ask(documentedUser(bench).toArray(String[]::new));
      admin.ask("ACL", "SETUSER", "tarn-push", "-hlen");
      bench.set("redis.user", "tarn-push").set("redis.password", PASSWORD);
      Push.Outcome first = bench.push(VIEW);
      assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED_ALREADY);
      String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
      admin.ask("DEL", "%s:score:%s:3".formatted(namespace, first.record().getVersion()));
      assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED);
    }
  }

  private static List<String> dumps(RespClient admin) {
    List<String> dumps = new ArrayList<>();
    for (String key : new TreeSet<>(admin.askList(List.of("KEYS", "*")))) {
      dumps.add(key + " " + admin.ask("DUMP", key));
    }
    return dumps;
  }

  @Test
  void aWrongPasswordIsSaidAndNotShown() {
    redis = Workbench.startRedis(Map.of());
    Workbench bench = built(1);
    try (RespClient admin = new RespClient(redis.ports().get(0))) {
      admin.ask("ACL", "SETUSER", "tarn-push", "on", ">" + PASSWORD, "~*", "&*", "+@all");
    }
    bench.set("redis.user", "tarn-push").set("redis.password", "guess-9071");
    assertThat(bench.run("push", "view=score")).isEqualTo(1);
    assertThat(bench.output()).contains("WRONGPASS").doesNotContain("guess-9071");
  }

  @Test
  void aPushGoesOverTls() {
    Workbench bench = tls("ip:127.0.0.1,dns:localhost");
    bench.push(VIEW);
    plain(bench);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aCertificateThatIsNotTrustedIsRefused() {
    Workbench bench = tls("ip:127.0.0.1").set("redis.tls-ca", "");
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("can't use Redis at 127.0.0.1:")
        .hasMessageContaining("unable to find valid certification path");
  }

  @Test
  void aCertificateOfAnotherHostIsRefused() {
    Workbench bench = tls("dns:elsewhere.example");
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("No subject alternative names matching IP address 127.0.0.1");
  }

  @Test
  void aFileWithoutCertificatesIsNamed() throws IOException {
    Path other = Files.writeString(folder.resolve("other.pem"), "not a certificate");
    Workbench bench = tls("ip:127.0.0.1").set("redis.tls-ca", other.toString());
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(other.toString())
        .hasMessageContaining("redis.tls-ca");
  }

  /** The command in docs/redis.md, for this workbench's namespace. */
  private static List<String> documentedUser(Workbench bench) throws IOException {
    Path docs = Path.of("..", "docs", "redis.md");
    Assumptions.assumeTrue(Files.exists(docs), "docs/redis.md is not here");
    Matcher command =
        Pattern.compile("(?s)```\n(ACL SETUSER tarn-push .*?)```").matcher(Files.readString(docs));
    assertThat(command.find()).isTrue();
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    List<String> words = new ArrayList<>();
    for (String word : command.group(1).strip().split("\\s+", -1)) {
      words.add(
          word.startsWith("~") || word.startsWith("&")
              ? word.replace("tarn", namespace)
              : word.replace(">PASSWORD", ">" + PASSWORD));
    }
    return words;
  }

  /** A workbench on a Redis whose certificate has these names, reached over TLS. */
  private Workbench tls(String names) {
    TlsFiles files = TlsFiles.make(folder, names);
    int port = Workbench.freePort();
    redis =
        Workbench.startRedis(
            Map.of(
                "tls-port",
                Integer.toString(port),
                "tls-key-file",
                files.key().toString(),
                "tls-cert-file",
                files.certificate().toString(),
                "tls-ca-cert-file",
                files.certificate().toString(),
                "tls-auth-clients",
                "no"));
    return built(1)
        .set("redis.tls", "true")
        .set("redis.tls-ca", files.certificate().toString())
        .set("redis.port", Integer.toString(port));
  }

  private void plain(Workbench bench) {
    bench.set("redis.tls", "false").set("redis.port", redis.ports().get(0).toString());
  }

  private Workbench built(int points) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.set("redis.port", redis.ports().get(0).toString());
    build(bench, points);
    return bench;
  }

  private static void build(Workbench bench, int points) {
    Scores.query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '2026-01-05' AS at, IF(id < 100, %d, id) + 0L AS points,
          'a' AS level
        FROM range(3000)
        """
            .formatted(points));
    bench.build(VIEW, MONDAY);
  }
}
