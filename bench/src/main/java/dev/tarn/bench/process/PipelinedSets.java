package dev.tarn.bench.process;

import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes each row of a file by a SET of its own, as a rival of {@code ./tarn bench push}: with
 * Lettuce, whose automatic flush is off, a thousand a flush. Prints the seconds.
 */
public final class PipelinedSets {

  private static final int A_FLUSH = 1_000;

  private PipelinedSets() {}

  public static void main(String[] args) throws IOException {
    int port = Integer.parseInt(args[0]);
    RedisClient client = RedisClient.create(RedisURI.create("127.0.0.1", port));
    try (StatefulRedisConnection<byte[], byte[]> connection =
        client.connect(ByteArrayCodec.INSTANCE)) {
      // Once to warm up, once to measure.
      write(connection, Path.of(args[1]));
      connection.sync().flushall();
      System.out.println(write(connection, Path.of(args[1])));
    } finally {
      client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
    }
  }

  private static double write(StatefulRedisConnection<byte[], byte[]> connection, Path rows)
      throws IOException {
    long start = System.nanoTime();
    connection.setAutoFlushCommands(false);
    List<RedisFuture<?>> underWay = new ArrayList<>();
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(Files.newInputStream(rows), 1 << 20))) {
      while (true) {
        byte[] key = new byte[in.readInt()];
        byte[] value = new byte[in.readInt()];
        in.readFully(key);
        in.readFully(value);
        underWay.add(connection.async().set(key, value));
        if (underWay.size() == A_FLUSH) {
          settle(connection, underWay);
        }
      }
    } catch (EOFException e) {
      settle(connection, underWay);
    }
    connection.setAutoFlushCommands(true);
    return (System.nanoTime() - start) / 1e9;
  }

  private static void settle(
      StatefulRedisConnection<byte[], byte[]> connection, List<RedisFuture<?>> underWay) {
    connection.flushCommands();
    if (!LettuceFutures.awaitAll(Duration.ofMinutes(1), underWay.toArray(new RedisFuture<?>[0]))) {
      throw new IllegalStateException("Redis did not answer within a minute");
    }
    underWay.clear();
  }
}
