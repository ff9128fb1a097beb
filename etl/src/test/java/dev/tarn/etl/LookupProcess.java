package dev.tarn.etl;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The lookup server as a user has it: {@code java -jar tarn-serving.jar serve}, on a free port, for
 * one workbench. Needs the jar, so only for tests that run after it is packaged (XIT).
 */
public final class LookupProcess implements AutoCloseable {

  private static final Pattern READY = Pattern.compile("serving on 127\\.0\\.0\\.1:(\\d+)");

  private final Process process;
  private final int port;
  private final ManagedChannel channel;

  private LookupProcess(Process process, int port) {
    this.process = process;
    this.port = port;
    this.channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port)
            .usePlaintext()
            .maxInboundMessageSize(64 << 20)
            .build();
  }

  /** Starts a server by {@code ./tarn serve}, as users do, and waits until it is ready. */
  static LookupProcess startByLauncher(Workbench bench) {
    return start(bench, List.of(Shell.home().resolve("tarn").toString()));
  }

  /** Starts a server and waits until it is ready. */
  public static LookupProcess start(Workbench bench) {
    Path jar = Path.of(System.getProperty("tarn.home"), "serving", "target", "tarn-serving.jar");
    return start(
        bench,
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            jar.toString()));
  }

  private static LookupProcess start(Workbench bench, List<String> program) {
    List<String> command = new ArrayList<>(program);
    command.addAll(List.of("serve", "serving.port=0", "serving.http-port=-1"));
    bench.settingWords().stream()
        .filter(word -> word.startsWith("redis.") || word.startsWith("state="))
        .forEach(command::add);
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      StringBuilder said = new StringBuilder();
      BufferedReader reader = process.inputReader(StandardCharsets.UTF_8);
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        said.append(line).append('\n');
        Matcher ready = READY.matcher(line);
        if (ready.find()) {
          return new LookupProcess(process, Integer.parseInt(ready.group(1)));
        }
      }
      throw new IllegalStateException("the server ended: " + said);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public int port() {
    return port;
  }

  public ManagedChannel channel() {
    return channel;
  }

  /** A stub with a deadline from now. */
  public FeatureStoreServiceBlockingStub stub() {
    return FeatureStoreServiceGrpc.newBlockingStub(channel).withDeadlineAfter(30, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    process.destroy();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
