package dev.tarn.serving;

import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;

/**
 * What a test of the server needs: a namespace in a real Redis, what is pushed there, and the
 * server that answers from it, which it starts itself.
 */
abstract class ServingTest {

  static final Duration LONG = Duration.ofSeconds(60);

  RedisFixture redis;
  RedisSettings settings;
  Pushes pushes;
  ServerFixture server;

  /** With the Redis of all tests, which none of them stops. */
  ServingTest() {
    this(RedisFixture.shared());
  }

  /** With one of its own, which ends with the test. */
  ServingTest(RedisFixture redis) {
    use(redis, redis.settings());
  }

  @AfterEach
  final void endAll() {
    if (server != null) {
      server.close();
    }
    pushes.close();
    if (redis != RedisFixture.shared()) {
      redis.close();
    }
  }

  /** Goes on with another Redis. */
  final void useInstead(RedisFixture own, RedisSettings ownSettings) {
    endAll();
    use(own, ownSettings);
  }

  /** How long the server, started after this, waits for Redis. */
  final void redisTimeout(Duration timeout) {
    settings = RedisFixture.with(settings, timeout);
  }

  /** Starts the server, with settings below {@code serving} that differ from the defaults. */
  final void serve(String... changes) {
    server = new ServerFixture(settings, ServerFixture.settings(String.join("\n", changes)));
  }

  /** Releases a view, {@code a}, whose only feature, {@code n}, is a number of {@code u1}. */
  final void push(long number) {
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", number).write("v" + number);
    pushes.release("a", "v" + number);
  }

  /** What the server answers of {@link #push}. */
  final double number() {
    return number(server.ask("u1"), "u1");
  }

  /** The number that is feature {@code n} of an entity. */
  static double number(GetOnlineFeaturesResponse answer, String id) {
    return answer.getResultsOrThrow(id).getFeaturesOrThrow("n").getNumberValue();
  }

  /** How many rows Redis was asked for by now. */
  final long hgets() {
    return stat("commandstats", "cmdstat_hget:calls=");
  }

  /** A number of Redis's INFO; 0 if it isn't there yet. */
  final long stat(String section, String name) {
    return pushes
        .redis()
        .info(section)
        .lines()
        .filter(line -> line.startsWith(name))
        .map(line -> Long.parseLong(line.substring(name.length()).replaceAll(",.*", "")))
        .findFirst()
        .orElse(0L);
  }

  /** A name that no other test has: all share the log. */
  final String unique(String name) {
    return name + "_" + RedisFixture.namespace(settings).replaceAll("\\D", "");
  }

  private void use(RedisFixture next, RedisSettings nextSettings) {
    redis = next;
    settings = nextSettings;
    pushes = new Pushes(settings);
  }
}
