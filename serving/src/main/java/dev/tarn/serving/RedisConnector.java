package dev.tarn.serving;

import dev.tarn.redis.RedisSettings;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.ClientOptions.DisconnectedBehavior;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.time.Duration;

/**
 * Makes connections to Redis. A connection that is lost stays lost, and what is under way on it
 * fails at once: {@link Releases} makes the next one and reads what is released before anyone looks
 * up over it. Lettuce's own reconnect would hold lookups back until they time out, and would let
 * them go on with what was released before the outage.
 */
final class RedisConnector implements AutoCloseable {

  private final RedisSettings settings;
  private final RedisClient client;

  RedisConnector(RedisSettings settings) {
    this.settings = settings;
    RedisURI.Builder uri =
        RedisURI.builder()
            .withHost(settings.host())
            .withPort(settings.port())
            .withDatabase(settings.database())
            .withSsl(settings.tls())
            .withTimeout(settings.timeout())
            .withClientName("tarn-serving");
    if (!settings.password().isEmpty()) {
      uri.withPassword(settings.password().toCharArray());
    }
    client = RedisClient.create(uri.build());
    client.setOptions(
        ClientOptions.builder()
            .autoReconnect(false)
            .disconnectedBehavior(DisconnectedBehavior.REJECT_COMMANDS)
            .socketOptions(
                SocketOptions.builder().connectTimeout(settings.timeout()).keepAlive(true).build())
            // A timer for each command would cost more than the command: a batch has one.
            .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
            .build());
  }

  /**
   * Connects, waiting for {@code redis.timeout} at the most for each answer on the way.
   *
   * @param onNotice run, on a thread of the connection's, after each release
   * @throws RedisUnavailableException if Redis is not there or does not take the password
   */
  RedisConnection connect(Runnable onNotice) throws RedisUnavailableException {
    StatefulRedisConnection<byte[], byte[]> commands = null;
    try {
      commands = client.connect(ByteArrayCodec.INSTANCE);
      StatefulRedisPubSubConnection<String, String> notices = client.connectPubSub();
      RedisConnection connection = new RedisConnection(settings, commands, notices);
      notices.addListener(
          new RedisPubSubAdapter<>() {
            @Override
            public void message(String channel, String message) {
              onNotice.run();
            }
          });
      notices.sync().subscribe(settings.keys().releasedChannel());
      return connection;
    } catch (RedisException e) {
      if (commands != null) {
        commands.close();
      }
      throw RedisUnavailableException.of(settings, e);
    }
  }

  @Override
  public void close() {
    client.shutdown(Duration.ZERO, settings.timeout());
  }
}
