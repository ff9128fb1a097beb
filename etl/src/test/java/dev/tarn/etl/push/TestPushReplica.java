package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.redis.RespClient;
import dev.tarn.redis.TlsFiles;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import redis.embedded.RedisServer;

/** Pushes where redis.host is a replica: they go on to its master, as who they are. */
class TestPushReplica {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String USER = "on >hunter2 ~* &* +@all";

  @TempDir private Path folder;
  private final List<RedisServer> servers = new ArrayList<>();

  @AfterEach
  void stop() {
    servers.forEach(Workbench::stop);
  }

  @Test
  void anAclUserGoesAlongToTheMaster() {
    Map<String, String> users = Map.of("user", "tarn-push " + USER, "requirepass", "other");
    int master = start(users);
    int replica = start(replicaOf(master, users));
    int replicaOfReplica = start(replicaOf(replica, users));
    Workbench bench = built();
    bench.set("redis.user", "tarn-push").set("redis.password", "hunter2");
    awaitLink(replicaOfReplica);

    for (int port : List.of(replica, replicaOfReplica)) {
      Scores.write(bench, "(1, '2026-01-05', %d, 'a')".formatted(port));
      bench.build(VIEW, MONDAY);
      bench.set("redis.port", Integer.toString(port));
      assertThat(bench.run("push", "view=score")).as(bench.output()).isZero();
      assertThat(bench.run("versions")).isZero();
    }
    assertThat(bench.run("rollback", "view=score")).as(bench.output()).isZero();
    bench.set("redis.port", Integer.toString(master));
    assertThat(bench.versions().records(VIEW)).hasSize(2);
  }

  @Test
  void tlsGoesAlongToTheMaster() {
    TlsFiles files = TlsFiles.make(folder, "ip:127.0.0.1");
    Map<String, String> tls = new HashMap<>();
    tls.put("tls-key-file", files.key().toString());
    tls.put("tls-cert-file", files.certificate().toString());
    tls.put("tls-ca-cert-file", files.certificate().toString());
    tls.put("tls-auth-clients", "no");
    tls.put("tls-replication", "yes");
    int master = Workbench.freePort();
    tls.put("tls-port", Integer.toString(master));
    start(tls);
    int replica = Workbench.freePort();
    tls.put("tls-port", Integer.toString(replica));
    int plain = start(replicaOf(master, tls));
    Workbench bench = built();
    bench.set("redis.tls", "true").set("redis.tls-ca", files.certificate().toString());
    bench.set("redis.port", Integer.toString(replica));
    awaitLink(plain);

    assertThat(bench.run("push", "view=score")).as(bench.output()).isZero();

    bench.set("redis.port", Integer.toString(master));
    assertThat(bench.versions().records(VIEW)).hasSize(1);
  }

  @Test
  void aMasterThatCantBeReachedIsNamedWithItsReplica() {
    int nowhere = Workbench.freePort();
    int replica = start(Map.of("replicaof", "127.0.0.1 " + nowhere));
    Workbench bench = built().set("redis.port", Integer.toString(replica));
    bench.output();
    assertThat(bench.run("push", "view=score")).isEqualTo(1);
    assertThat(bench.output())
        .startsWith(
            "tarn: 127.0.0.1:%d is a replica of 127.0.0.1:%d, which can't be used from here ("
                .formatted(replica, nowhere))
        .contains("set redis.host and redis.port to an address of the master");
  }

  private int start(Map<String, String> settings) {
    RedisServer server = Workbench.startRedis(settings);
    servers.add(server);
    return server.ports().get(0);
  }

  private static Map<String, String> replicaOf(int master, Map<String, String> settings) {
    Map<String, String> all = new HashMap<>(settings);
    all.put("replicaof", "127.0.0.1 " + master);
    if (settings.containsKey("requirepass")) {
      all.put("masterauth", settings.get("requirepass"));
    }
    return all;
  }

  private static void awaitLink(int port) {
    try (RespClient client = new RespClient(port)) {
      String unused = ask(client, "AUTH", "other");
      Awaitility.await()
          .until(() -> ask(client, "INFO", "replication").contains("master_link_status:up"));
    }
  }

  private static String ask(RespClient client, String... command) {
    try {
      return client.ask(command);
    } catch (IllegalStateException e) {
      // A Redis without password.
      return "";
    }
  }

  private static Workbench built() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    return bench;
  }
}
