package dev.tarn.serving;

import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import java.util.ArrayList;
import java.util.List;

/** Makes the user that docs/redis.md describes, with only the permissions that serving needs. */
public final class RedisUsers {

  public static final String PASSWORD = "hunter2-of-serving";

  private RedisUsers() {}

  /** Returns the command that makes the user. */
  public static String[] serving(RedisKeys keys, String... more) {
    String control = keys.release().replace("release", "");
    String namespace = control.replaceAll("[{}:]", "");
    List<String> rules = new ArrayList<>();
    rules.addAll(List.of("ACL", "SETUSER", "serving", "reset", "on", ">" + PASSWORD));
    rules.addAll(List.of("~" + control + "*", "~" + namespace + ":*"));
    rules.addAll(List.of("resetchannels", "&" + keys.releasedChannel()));
    rules.addAll(List.of("+info", "+hget", "+hgetall", "+subscribe"));
    rules.addAll(List.of(more));
    return rules.toArray(String[]::new);
  }

  public static RedisSettings asServing(RedisSettings redis) {
    return as(redis, "serving", PASSWORD);
  }

  public static RedisSettings as(RedisSettings redis, String user, String password) {
    return new RedisSettings(
        redis.host(),
        redis.port(),
        redis.database(),
        user,
        password,
        redis.tls(),
        redis.tlsCa(),
        redis.timeout(),
        redis.keys());
  }
}
