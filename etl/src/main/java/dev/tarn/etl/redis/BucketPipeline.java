package dev.tarn.etl.redis;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.TaskContext;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.commands.ProtocolCommand;
import redis.clients.jedis.exceptions.JedisAskDataException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisRedirectionException;
import redis.clients.jedis.util.JedisClusterCRC16;

/**
 * Sends commands on buckets, many of them before it waits for an answer. Each goes to the server
 * that has the bucket. Where slots move (MOVED, ASK), commands follow them; where a server is lost,
 * they are sent again for as long as {@code push.patience} says. So a command must do no harm when
 * it is done twice.
 *
 * <p>Every answer is read, and a command that Redis refuses fails the whole. Memory holds only the
 * commands that are on the way. Not thread-safe.
 */
public final class BucketPipeline implements AutoCloseable {

  private static final int BYTES_ON_THE_WAY = 1 << 20;
  private static final int COMMANDS_ON_THE_WAY = 1_000;

  /** A command that has no answer yet. */
  private static final class Sent {
    private final byte[] key;
    private final ProtocolCommand command;
    private final byte[][] arguments;
    private final Consumer<Object> onAnswer;
    private HostAndPort asked;

    private Sent(
        byte[] key, ProtocolCommand command, byte[][] arguments, Consumer<Object> onAnswer) {
      this.key = key;
      this.command = command;
      this.arguments = arguments;
      this.onAnswer = onAnswer;
    }
  }

  /** A connection and the commands that are on the way over it. */
  private static final class ServerLane {
    private final Jedis jedis;
    private final Pipeline pipeline;
    private final List<Sent> sent = new ArrayList<>();

    /** The reason why the connection is lost. Then nothing more is sent or read over it. */
    private JedisException lost;

    private ServerLane(Jedis jedis) {
      this.jedis = jedis;
      this.pipeline = jedis.pipelined();
    }

    private ServerLane(JedisException lost) {
      this.jedis = null;
      this.pipeline = null;
      this.lost = lost;
    }

    private void close() {
      if (jedis == null) {
        return;
      }
      if (lost != null || !sent.isEmpty()) {
        try {
          jedis.disconnect();
        } catch (JedisConnectionException e) {
          // The connection is lost, which is known, so what was still to be sent can't be.
        }
      }
      jedis.close();
    }

    private void send(Sent command) {
      sent.add(command);
      if (lost == null) {
        try {
          if (command.asked != null) {
            pipeline.sendCommand(Protocol.Command.ASKING, new byte[0][]);
          }
          pipeline.sendCommand(command.command, command.arguments);
        } catch (JedisConnectionException e) {
          lost = e;
        }
      }
    }
  }

  private final RedisServers servers;
  private final boolean isUnbroken;
  private final Map<HostAndPort, ServerLane> lanes = new HashMap<>();
  private final Map<Integer, HostAndPort> moved = new HashMap<>();
  private int bytesOnTheWay;
  private int commandsOnTheWay;

  public BucketPipeline(RedisServers servers) {
    this(servers, false);
  }

  private BucketPipeline(RedisServers servers, boolean isUnbroken) {
    this.servers = servers;
    this.isUnbroken = isUnbroken;
  }

  /**
   * A pipeline that does not outlive the loss of a server: it fails, and nothing is sent again. So
   * what was answered over it is still there, as long as it answers.
   */
  static BucketPipeline unbroken(RedisServers servers) {
    return new BucketPipeline(servers, true);
  }

  /**
   * Sends a command.
   *
   * @param weight bytes that it and its answer take
   * @param onAnswer takes the answer (a Long, byte[] or List of them) when it is there
   * @param arguments have {@code key} among them
   */
  public void send(
      byte[] key,
      ProtocolCommand command,
      int weight,
      Consumer<Object> onAnswer,
      byte[]... arguments) {
    send(new Sent(key, command, arguments, onAnswer));
    bytesOnTheWay += weight;
    commandsOnTheWay++;
    if (bytesOnTheWay >= BYTES_ON_THE_WAY || commandsOnTheWay >= COMMANDS_ON_THE_WAY) {
      flush();
    }
  }

  /**
   * Waits for every answer.
   *
   * @throws JedisException if a command is refused, or a server stays lost
   */
  public void flush() {
    if (TaskContext.get() != null && TaskContext.get().isInterrupted()) {
      throw new IllegalStateException("the task was interrupted");
    }
    List<Sent> again = new ArrayList<>();
    JedisException trouble = settle(again);
    long deadline = System.nanoTime() + servers.patience().toNanos();
    while (!again.isEmpty()) {
      if (isUnbroken && trouble != null) {
        throw trouble;
      }
      if (System.nanoTime() > deadline) {
        throw trouble != null
            ? trouble
            : new JedisException("Redis sends commands from one server to the other and back");
      }
      if (trouble != null) {
        RedisServers.pause();
        servers.refresh();
        moved.clear();
      }
      List<Sent> retried = again;
      again = new ArrayList<>();
      retried.forEach(this::send);
      trouble = settle(again);
    }
    bytesOnTheWay = 0;
    commandsOnTheWay = 0;
  }

  /**
   * Gives the connections back to their pools. One with answers on the way is broken off instead:
   * whoever got it next would take these answers for its own.
   */
  @Override
  public void close() {
    lanes.values().forEach(ServerLane::close);
    lanes.clear();
  }

  private void send(Sent command) {
    HostAndPort server = command.asked;
    if (server == null) {
      HostAndPort elsewhere =
          moved.isEmpty() ? null : moved.get(JedisClusterCRC16.getSlot(command.key));
      server = elsewhere == null ? servers.owner(command.key) : elsewhere;
    }
    ServerLane lane = lanes.get(server);
    if (lane == null) {
      try {
        lane = new ServerLane(servers.open(server));
      } catch (JedisException e) {
        // The server may be there, and still be reading its data.
        if (!RedisServers.isPassing(e)) {
          throw e;
        }
        lane = new ServerLane(e);
      }
      lanes.put(server, lane);
    }
    lane.send(command);
  }

  /**
   * Reads all answers.
   *
   * @param again gets the commands to send once more
   * @return why to wait before that; null if they were only sent to another server
   */
  private JedisException settle(List<Sent> again) {
    JedisException trouble = null;
    for (Map.Entry<HostAndPort, ServerLane> entry : List.copyOf(lanes.entrySet())) {
      ServerLane lane = entry.getValue();
      List<Object> answers = List.of();
      if (lane.lost == null && !lane.sent.isEmpty()) {
        try {
          answers = lane.pipeline.syncAndReturnAll();
        } catch (JedisConnectionException e) {
          lane.lost = e;
        }
      }
      if (lane.lost != null) {
        // Nobody knows which of them Redis has done, so all are done again.
        trouble = lane.lost;
        lane.sent.forEach(command -> command.asked = null);
        again.addAll(lane.sent);
        lane.close();
        lanes.remove(entry.getKey());
        continue;
      }
      int next = 0;
      List<Sent> sent = List.copyOf(lane.sent);
      lane.sent.clear();
      for (Sent command : sent) {
        if (command.asked != null) {
          next++; // the answer to ASKING
          command.asked = null;
        }
        Object answer = answers.get(next++);
        if (answer instanceof JedisRedirectionException redirection) {
          Optional<HostAndPort> target =
              Topology.target(redirection.getTargetNode(), entry.getKey());
          if (target.isEmpty()) {
            // It does not say where to; whoever is asked for all slots does.
            trouble = redirection;
          } else if (redirection instanceof JedisAskDataException) {
            command.asked = target.get();
          } else {
            moved.put(redirection.getSlot(), target.get());
          }
          again.add(command);
        } else if (answer instanceof JedisException refused) {
          if (!RedisServers.isPassing(refused)) {
            throw refused;
          }
          trouble = refused;
          again.add(command);
        } else {
          command.onAnswer.accept(answer);
        }
      }
    }
    return trouble;
  }
}
