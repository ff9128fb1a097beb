package dev.tarn.serving.redis;

import static dev.tarn.serving.ServerFixture.logged;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.RespClient;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.RedisUsers;
import dev.tarn.serving.ServerFixture;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks a Redis with users, whose default user is off. */
class TestRedisUsers {

  private final RedisFixture redis =
      RedisFixture.start("user default off", "user admin on >admin-password ~* &* +@all");
  private final RedisSettings settings = redis.settings();
  private final Pushes pushes = new Pushes(RedisUsers.as(settings, "admin", "admin-password"));
  private final RespClient admin = new RespClient(settings.port());
  private ServerFixture server;

  @BeforeEach
  void push() {
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 1L).write("v1");
    pushes.release("a", "v1");
    admin.ask("AUTH", "admin", "admin-password");
    admin.ask(RedisUsers.serving(settings.keys()));
  }

  @AfterEach
  void stop() {
    server.close();
    pushes.close();
    admin.close();
    redis.close();
  }

  @Test
  void aUserWithTheDocumentedPermissionsIsEnough() {
    server =
        new ServerFixture(
            RedisUsers.asServing(settings), ServerFixture.withPoll(Duration.ofHours(1)));
    assertThat(number()).isEqualTo(1);
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 2L).write("v2");

    pushes.release("a", "v2");

    soon().untilAsserted(() -> assertThat(number()).isEqualTo(2));
    assertThat(admin.ask("ACL", "LOG")).isEqualTo("[]");
  }

  @Test
  void aWrongPasswordIsSaidWithTheUserAndNeverShown() {
    RedisSettings wrong = RedisUsers.as(settings, "serving", "hunter3-of-nobody");

    server = new ServerFixture(wrong);

    assertThat(server.refusal(request("u1")).getDescription())
        .isEqualTo(
            "Redis at %s refuses the user 'serving' or its password (WRONGPASS invalid username-password pair or user is disabled.): set redis.user and TARN_REDIS_PASSWORD"
                .formatted(settings.address()));
    assertThat(wrong.toString()).doesNotContain("hunter3");
    assertThat(logged("refuses the user 'serving'")).isNotEmpty();
    assertThat(logged("hunter3-of-nobody")).isEmpty();
  }

  @Test
  void withoutAUserTheOneThatIsOffIsRefused() {
    server = new ServerFixture(settings);

    assertThat(server.refusal(request("u1")).getDescription())
        .startsWith("Redis at %s refuses the password (NOAUTH".formatted(settings.address()))
        .endsWith("): set TARN_REDIS_PASSWORD");
  }

  @Test
  void aMissingPermissionIsSaidOfTheCommand() {
    admin.ask("ACL", "SETUSER", "serving", "-hgetall");
    server = new ServerFixture(RedisUsers.asServing(settings));

    assertThat(server.refusal(request("u1")).getDescription())
        .isEqualTo(
            "Redis at %s does not permit what serving needs to redis.user = 'serving' (NOPERM this user has no permissions to run the 'hgetall' command or its subcommand): docs/redis.md has the permissions to grant"
                .formatted(settings.address()));
  }

  @Test
  void aMissingChannelIsSaidAndLeaksNoConnections() {
    admin.ask("ACL", "SETUSER", "serving", "resetchannels");
    server =
        new ServerFixture(
            RedisUsers.asServing(settings), ServerFixture.withPoll(Duration.ofMillis(20)));

    for (int i = 0; i < 20; i++) {
      assertThat(server.refusal(request("u1")).getDescription())
          .contains("redis.user = 'serving' (NOPERM")
          .contains("channel");
    }
    soon()
        .until(
            () ->
                admin
                        .ask("CLIENT", "LIST")
                        .lines()
                        .filter(line -> line.contains("user=serving"))
                        .count()
                    <= 2);
  }

  private double number() {
    return server.ask("u1").getResultsOrThrow("u1").getFeaturesOrThrow("n").getNumberValue();
  }
}
