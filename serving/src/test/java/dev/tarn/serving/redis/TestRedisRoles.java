package dev.tarn.serving.redis;

import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisExecutable;
import dev.tarn.redis.RedisSettings;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import redis.embedded.RedisSentinel;

/** Checks addresses that are not those of a master. */
class TestRedisRoles {

  @Test
  void aReplicaIsGoodForLookups() {
    RedisSettings master = RedisFixture.shared().settings();
    try (RedisFixture replica = RedisFixture.start("replicaof 127.0.0.1 " + master.port());
        Pushes pushes = new Pushes(master)) {
      pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 1L).write("v1");
      pushes.release("a", "v1");
      RedisSettings settings = replica.settings();
      try (ServerFixture server =
          new ServerFixture(
              new RedisSettings(
                  settings.host(),
                  settings.port(),
                  0,
                  "",
                  "",
                  false,
                  "",
                  settings.timeout(),
                  master.keys()))) {
        soon().until(() -> number(server) == 1);
        pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 2L).write("v2");

        pushes.release("a", "v2");

        soon().until(() -> number(server) == 2);
      }
    }
  }

  @Test
  void aRedisThatRemovesWhatIsReleasedIsWarnedOf() {
    for (String policy : List.of("allkeys-random", "volatile-random", "noeviction")) {
      try (RedisFixture redis = RedisFixture.start("maxmemory-policy " + policy);
          ServerFixture server = new ServerFixture(redis.settings())) {
        if (policy.startsWith("allkeys")) {
          assertThat(server.server().warnings())
              .singleElement()
              .asString()
              .startsWith(
                  "Redis at %s has maxmemory-policy = allkeys-random: "
                      .formatted(redis.settings().address()));
        } else {
          assertThat(server.server().warnings()).as(policy).isEmpty();
        }
      }
    }
  }

  @Test
  void aSentinelIsSaidToBeOne() throws Exception {
    int port = RedisFixture.freePort();
    RedisSettings settings = RedisFixture.settings(port, Duration.ofSeconds(2));
    RedisSentinel sentinel =
        RedisSentinel.newRedisSentinel()
            .executableProvider(RedisExecutable::file)
            .bind("127.0.0.1")
            .port(port)
            .masterName("tarn")
            .masterPort(RedisFixture.shared().settings().port())
            .build();
    sentinel.start();
    try (ServerFixture server = new ServerFixture(settings)) {
      assertThat(server.refusal(request("u1")).getDescription())
          .isEqualTo(
              "%s is a Redis Sentinel, which holds no data: set redis.host and redis.port to an address that always leads to the master (SENTINEL GET-MASTER-ADDR-BY-NAME says which it is now); docs/redis.md has more"
                  .formatted(settings.address()));
    } finally {
      sentinel.stop();
    }
  }

  private static double number(ServerFixture server) {
    return server.ask("u1").getResultsOrThrow("u1").getFeaturesOrThrow("n").getNumberValue();
  }
}
