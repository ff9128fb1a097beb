package dev.tarn.serving;

import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;

/**
 * Gives a test of the server a namespace in a real Redis, pushes into it, and the server that
 * answers from it, which the test starts itself.
 */
public abstract class ServingTest {

  protected static final Duration LONG = Duration.ofSeconds(60);

  protected RedisFixture redis;
  protected RedisSettings settings;
  protected Pushes pushes;
  protected ServerFixture server;

  /** Uses the Redis of all tests, which no test stops. */
  protected ServingTest() {
    this(RedisFixture.shared());
  }

  /** Uses a Redis of its own, which ends with the test. */
  protected ServingTest(RedisFixture redis) {
    use(redis, redis.settings());
  }

  @AfterEach
  protected final void endAll() {
    if (server != null) {
      server.close();
    }
    pushes.close();
    if (redis != RedisFixture.shared()) {
      redis.close();
    }
  }

  /** Continues with another Redis. */
  protected final void useInstead(RedisFixture own, RedisSettings ownSettings) {
    endAll();
    use(own, ownSettings);
  }

  /** Sets how long the server, started after this, waits for Redis. */
  protected final void redisTimeout(Duration timeout) {
    settings = RedisFixture.with(settings, timeout);
  }

  /** Starts the server, with settings below {@code serving} that differ from the defaults. */
  protected final void serve(String... changes) {
    server = new ServerFixture(settings, ServerFixture.settings(String.join("\n", changes)));
  }

  /** Releases a view, {@code a}, whose only feature, {@code n}, is a number of {@code u1}. */
  protected final void push(long number) {
    pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", number).write("v" + number);
    pushes.release("a", "v" + number);
  }

  /** Returns the number of {@link #push} that the server answers. */
  protected final double number() {
    return number(server.ask("u1"), "u1");
  }

  /** Returns the number that is feature {@code n} of an entity. */
  protected static double number(GetOnlineFeaturesResponse answer, String id) {
    return answer.getResultsOrThrow(id).getFeaturesOrThrow("n").getNumberValue();
  }

  /** Counts the rows that Redis was asked for by now. */
  protected final long hgets() {
    return stat("commandstats", "cmdstat_hget:calls=");
  }

  /** Returns a number of Redis's INFO; 0 if it isn't there yet. */
  protected final long stat(String section, String name) {
    return pushes
        .redis()
        .info(section)
        .lines()
        .filter(line -> line.startsWith(name))
        .map(line -> Long.parseLong(line.substring(name.length()).replaceAll(",.*", "")))
        .findFirst()
        .orElse(0L);
  }

  /** Returns a name that no other test has, because all tests share the log. */
  protected final String unique(String name) {
    return name + "_" + RedisFixture.namespace(settings).replaceAll("\\D", "");
  }

  private void use(RedisFixture next, RedisSettings nextSettings) {
    redis = next;
    settings = nextSettings;
    pushes = new Pushes(settings);
  }
}
