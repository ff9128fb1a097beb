package dev.tarn.serving.redis;

import java.util.List;

/** The servers that get commands: the one of a plain Redis, or the nodes of a Redis Cluster. */
interface Nodes extends AutoCloseable {

  /** Returns whether no connection was lost. A lost one stays lost: see {@link RedisConnector}. */
  boolean isOpen();

  /** Returns the number of open connections. */
  int connections();

  /** Says what the user should change about these servers, as it was when they were connected. */
  List<String> warnings();

  /**
   * Sends commands, in one flush for each node that has keys of them, and waits for nothing. A
   * failure completes the commands, as does a connection over which nothing comes.
   */
  void send(List<? extends KeyedCommand> commands);

  /**
   * Takes note of a command that failed or was not answered: its key may be on another node now.
   */
  void failed();

  @Override
  void close();
}
