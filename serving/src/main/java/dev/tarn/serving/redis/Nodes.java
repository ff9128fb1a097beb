package dev.tarn.serving.redis;

import java.util.List;

/** Where commands go: the one server of a plain Redis, or the nodes of a Redis Cluster. */
interface Nodes extends AutoCloseable {

  /** Whether no connection was lost. One that was stays lost: see {@link RedisConnector}. */
  boolean isOpen();

  /** How many connections are open. */
  int connections();

  /**
   * Sends commands, in one flush for each node that has keys of them, and waits for nothing. Any
   * failure ends in the commands.
   */
  void send(List<? extends KeyedCommand> commands);

  /** To be told of each command that failed or was not answered: keys may have moved elsewhere. */
  void failed();

  @Override
  void close();
}
