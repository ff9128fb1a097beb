package dev.tarn.redis;

import com.typesafe.config.Config;
import java.io.Serializable;
import java.time.Duration;

/** The {@code redis} section of the settings, the same for pushes and lookups. */
public record RedisSettings(
    String host,
    int port,
    int database,
    String user,
    String password,
    boolean tls,
    String tlsCa,
    Duration timeout,
    RedisKeys keys)
    implements Serializable {

  /** Reads the section {@code redis} of the settings below {@code tarn}. */
  public static RedisSettings of(Config tarn) {
    Config redis = tarn.getConfig("redis");
    return new RedisSettings(
        redis.getString("host"),
        redis.getInt("port"),
        redis.getInt("database"),
        redis.getString("user"),
        redis.getString("password"),
        redis.getBoolean("tls"),
        redis.getString("tls-ca"),
        redis.getDuration("timeout"),
        new RedisKeys(redis.getString("namespace")));
  }

  /** {@code host:port}, for messages. */
  public String address() {
    return host + ":" + port;
  }

  /** Prints the settings without the password. */
  @Override
  public String toString() {
    return "RedisSettings[%s/%d]".formatted(address(), database);
  }
}
