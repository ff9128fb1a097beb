package dev.tarn.serving;

import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import java.util.List;

/** A plain Redis: all keys on one server. */
final class SingleNode implements Nodes {

  private final StatefulRedisConnection<byte[], byte[]> connection;

  SingleNode(StatefulRedisConnection<byte[], byte[]> connection) {
    this.connection = connection;
  }

  @Override
  public boolean isOpen() {
    return connection.isOpen();
  }

  @Override
  public int connections() {
    return connection.isOpen() ? 1 : 0;
  }

  @Override
  public void send(List<? extends KeyedCommand> commands) {
    try {
      var unused = connection.dispatch(new Bundle(commands));
    } catch (RedisException e) {
      commands.forEach(command -> command.failed(e));
    }
  }

  @Override
  public void failed() {}

  @Override
  public void close() {
    connection.close();
  }
}
