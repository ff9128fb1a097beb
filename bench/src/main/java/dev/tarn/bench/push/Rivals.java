package dev.tarn.bench.push;

import dev.tarn.bench.process.PipelinedSets;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.Jvm;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.spark.sql.SaveMode;

/** Writes the rows of a push to Redis in other ways. Each gives the seconds that it took. */
final class Rivals {

  private final Lake lake;
  private final BenchRedis server;
  private final ServingJar servingJar;
  private final FeatureView view;
  private final long snapshotId;

  Rivals(Lake lake, BenchRedis server, ServingJar servingJar, FeatureView view, long snapshotId) {
    this.lake = lake;
    this.server = server;
    this.servingJar = servingJar;
    this.view = view;
    this.snapshotId = snapshotId;
  }

  /** Writes with spark-redis's DataFrame writer: a hash for each row, a field for each feature. */
  double sparkRedis() {
    long start = System.nanoTime();
    lake.spark()
        .sql("SELECT * FROM %s VERSION AS OF %d".formatted(lake.sqlName(view.name()), snapshotId))
        .drop(FeatureView.EVENT_TIMESTAMP, FeatureView.PRESENT_UNTIL)
        .write()
        .format("org.apache.spark.sql.redis")
        .option("host", "127.0.0.1")
        .option("port", Integer.toString(server.port()))
        .option("table", view.name())
        .option("key.column", "user_id")
        .mode(SaveMode.Append)
        .save();
    return (System.nanoTime() - start) / 1e9;
  }

  /** Writes with Lettuce, in a process of its own because it needs another Netty than Spark. */
  double lettuce(RowFile file) throws IOException {
    Process process =
        new ProcessBuilder(
                Jvm.command(
                    List.of("-Dtarn.log=" + file.path().resolveSibling("lettuce.log")),
                    servingJar.program(
                        PipelinedSets.class,
                        Integer.toString(server.port()),
                        file.path().toString())))
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String answer =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    try {
      if (process.waitFor() == 0) {
        return Double.parseDouble(answer);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new TarnException("Lettuce's writer failed: " + answer);
  }

  /** Writes commands that are ready straight to a socket, and counts the answers meanwhile. */
  double socket(RowFile file) throws IOException {
    Path commands = file.path().resolveSibling("commands.resp");
    long rows = commands(file, commands);
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      socket.setTcpNoDelay(true);
      long start = System.nanoTime();
      CompletableFuture<Long> answers = CompletableFuture.supplyAsync(() -> count(socket, rows));
      OutputStream out = socket.getOutputStream();
      try (InputStream in = Files.newInputStream(commands)) {
        byte[] buffer = new byte[1 << 18];
        for (int n = in.read(buffer); n > 0; n = in.read(buffer)) {
          out.write(buffer, 0, n);
        }
      }
      if (answers.get() != rows) {
        throw new TarnException("Redis answered %d of %d SETs".formatted(answers.get(), rows));
      }
      return (System.nanoTime() - start) / 1e9;
    } catch (InterruptedException | ExecutionException e) {
      throw new IOException(e);
    } finally {
      Files.delete(commands);
    }
  }

  private static long commands(RowFile file, Path commands) throws IOException {
    long rows = 0;
    try (DataInputStream in =
            new DataInputStream(
                new BufferedInputStream(Files.newInputStream(file.path()), 1 << 20));
        OutputStream out =
            new java.io.BufferedOutputStream(Files.newOutputStream(commands), 1 << 20)) {
      while (true) {
        byte[] key;
        byte[] value;
        try {
          key = new byte[in.readInt()];
        } catch (EOFException e) {
          return rows;
        }
        value = new byte[in.readInt()];
        in.readFully(key);
        in.readFully(value);
        out.write(ascii("*3\r\n$3\r\nSET\r\n$" + key.length + "\r\n"));
        out.write(key);
        out.write(ascii("\r\n$" + value.length + "\r\n"));
        out.write(value);
        out.write(ascii("\r\n"));
        rows++;
      }
    }
  }

  /** Counts the lines of answers; -1 if one is not +OK. */
  private static long count(Socket socket, long rows) {
    long lines = 0;
    byte[] buffer = new byte[1 << 16];
    try {
      InputStream in = socket.getInputStream();
      while (lines < rows) {
        int n = in.read(buffer);
        if (n < 0) {
          break;
        }
        for (int i = 0; i < n; i++) {
          if (buffer[i] == '-') {
            return -1;
          }
          lines += buffer[i] == '\n' ? 1 : 0;
        }
      }
      return lines;
    } catch (IOException e) {
      return -1;
    }
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
