package dev.tarn.serving;

import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulConnection;
import java.util.List;

/** A plain Redis: all keys on one server. */
final class SingleNode implements Nodes {

  private final StatefulConnection<byte[], byte[]> connection;

  SingleNode(StatefulConnection<byte[], byte[]> connection) {
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
  public void send(List<? extends KeyedCommand<?>> commands) {
    send(connection, commands);
  }

  @Override
  public void failed() {}

  @Override
  public void close() {
    connection.close();
  }

  /** In one flush, to one node. */
  static void send(
      StatefulConnection<byte[], byte[]> connection, List<? extends KeyedCommand<?>> commands) {
    try {
      var unused = connection.dispatch(commands);
    } catch (RedisException e) {
      commands.forEach(command -> command.completeExceptionally(e));
    }
  }
}
