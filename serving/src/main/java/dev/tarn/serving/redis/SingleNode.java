package dev.tarn.serving.redis;

import io.lettuce.core.RedisException;
import io.lettuce.core.api.StatefulRedisConnection;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * A plain Redis, with all keys on one server. Each network thread has a connection of its own, so
 * that a lookup stays on the thread that began it.
 */
final class SingleNode implements Nodes {

  /** A connection with the thread that reads and writes it. */
  private record Lane(StatefulRedisConnection<byte[], byte[]> connection, EventExecutor thread) {}

  private final List<Lane> lanes;
  private final List<String> warnings;

  private SingleNode(List<Lane> lanes, List<String> warnings) {
    this.lanes = List.copyOf(lanes);
    this.warnings = List.copyOf(warnings);
  }

  /**
   * Makes a connection for each of the threads.
   *
   * @param first a connection that is made already
   * @param warnings about the server
   * @throws RedisException if a connection can't be made; all others are closed then
   */
  static SingleNode connect(
      StatefulRedisConnection<byte[], byte[]> first,
      Supplier<StatefulRedisConnection<byte[], byte[]>> connector,
      int threads,
      List<String> warnings) {
    List<Lane> lanes = new ArrayList<>();
    StatefulRedisConnection<byte[], byte[]> next = first;
    try {
      // Netty gives threads to connections in turn, also to clients' connections. So a thread may
      // get no connection to Redis here; it then uses that of another thread.
      for (int tries = 1; ; tries++) {
        StatefulRedisConnection<byte[], byte[]> made = next;
        Lane lane = new Lane(made, RedisConnector.first(() -> WireProbe.threadOf(made)));
        if (lanes.stream().noneMatch(other -> other.thread() == lane.thread())) {
          lanes.add(lane);
        } else {
          next.close();
        }
        if (lanes.size() == threads || tries == 2 * threads) {
          return new SingleNode(lanes, warnings);
        }
        next = connector.get();
      }
    } catch (RedisException e) {
      next.close();
      lanes.forEach(lane -> lane.connection().close());
      throw e;
    }
  }

  @Override
  public boolean isOpen() {
    return lanes.stream().allMatch(lane -> lane.connection().isOpen());
  }

  @Override
  public int connections() {
    return Math.toIntExact(lanes.stream().filter(lane -> lane.connection().isOpen()).count());
  }

  @Override
  public List<String> warnings() {
    return warnings;
  }

  @Override
  public void send(List<? extends KeyedCommand> commands) {
    try {
      var unused = own().connection().dispatch(new Bundle(commands));
    } catch (RedisException e) {
      commands.forEach(command -> command.failed(e));
    }
  }

  /** Returns the lane of this thread, or any one if it has none. */
  private Lane own() {
    for (Lane lane : lanes) {
      if (lane.thread().inEventLoop()) {
        return lane;
      }
    }
    return lanes.get(0);
  }

  @Override
  public void failed() {}

  @Override
  public void close() {
    lanes.forEach(lane -> lane.connection().close());
  }
}
