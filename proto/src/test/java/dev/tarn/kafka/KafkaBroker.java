package dev.tarn.kafka;

import dev.tarn.redis.FreePort;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/**
 * A real Kafka broker on the loopback interface, as a process of its own with a class path of its
 * own: Maven writes that to {@code proto/target/kafka-broker.txt}. It needs no client library.
 */
public final class KafkaBroker implements AutoCloseable {

  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private static final List<String> JVM =
      List.of("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");

  private final Path folder;
  private final String classPath;
  private final int port;
  private Process process;

  private KafkaBroker(Path folder, String classPath, int port) {
    this.folder = folder;
    this.classPath = classPath;
    this.port = port;
  }

  /** A broker with everything empty. */
  public static KafkaBroker start() {
    return start(Map.of());
  }

  /** A broker with settings as of server.properties. */
  public static KafkaBroker start(Map<String, String> settings) {
    try {
      Path list = target().resolve("kafka-broker.txt");
      if (!Files.exists(list)) {
        throw new IllegalStateException(
            list + " is missing: mvn process-test-resources -pl proto writes it");
      }
      Path folder = Files.createTempDirectory(Files.createDirectories(target()), "kafka");
      int port = freePort();
      KafkaBroker broker = new KafkaBroker(folder, Files.readString(list).strip(), port);
      broker.format(settings);
      broker.run();
      return broker;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path target() {
    return Path.of(System.getProperty("tarn.home", "."), "proto", "target").toAbsolutePath();
  }

  /** The address of the broker, as clients want it. */
  public String address() {
    return "127.0.0.1:" + port;
  }

  private void format(Map<String, String> settings) throws IOException {
    int controller = freePort();
    Map<String, String> all = new TreeMap<>();
    all.put("process.roles", "broker,controller");
    all.put("node.id", "1");
    all.put("controller.quorum.voters", "1@127.0.0.1:" + controller);
    all.put(
        "listeners",
        "PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d".formatted(port, controller));
    all.put("advertised.listeners", "PLAINTEXT://127.0.0.1:" + port);
    all.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
    all.put("controller.listener.names", "CONTROLLER");
    all.put("inter.broker.listener.name", "PLAINTEXT");
    all.put("log.dirs", folder.resolve("data").toString());
    all.put("offsets.topic.num.partitions", "1");
    all.put("offsets.topic.replication.factor", "1");
    all.put("transaction.state.log.num.partitions", "1");
    all.put("transaction.state.log.replication.factor", "1");
    all.put("transaction.state.log.min.isr", "1");
    all.put("share.coordinator.state.topic.num.partitions", "1");
    all.put("share.coordinator.state.topic.replication.factor", "1");
    all.put("share.coordinator.state.topic.min.isr", "1");
    all.put("group.initial.rebalance.delay.ms", "0");
    all.put("auto.create.topics.enable", "false");
    // Messages are as old as a test wants.
    all.put("log.retention.ms", "-1");
    all.put("message.max.bytes", "16000000");
    all.put("log.cleaner.dedupe.buffer.size", "2000000");
    all.putAll(settings);
    List<String> lines = new ArrayList<>();
    all.forEach((key, value) -> lines.add(key + "=" + value));
    Files.write(properties(), lines);
    Process formatting =
        java("kafka.tools.StorageTool", "format", "-t", clusterId(), "-c", properties().toString());
    waitFor(formatting);
    if (formatting.exitValue() != 0) {
      throw new IllegalStateException("Kafka's folder can't be formatted: " + log());
    }
  }

  private Path properties() {
    return folder.resolve("server.properties");
  }

  private static String clusterId() {
    byte[] random = UUID.randomUUID().toString().substring(0, 16).getBytes(StandardCharsets.UTF_8);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(random);
  }

  /** Starts the process, with what an earlier one has kept. */
  public void run() {
    process = java("kafka.Kafka", properties().toString());
    Process started = process;
    Runtime.getRuntime().addShutdownHook(new Thread(started::destroyForcibly));
    Awaitility.await("Kafka's port")
        .atMost(PATIENCE)
        .failFast(() -> !started.isAlive())
        .until(this::answers);
  }

  private boolean answers() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1_000);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  /** Stops the process as an operator does. What it has stored stays. */
  public void stop() {
    process.destroy();
    waitFor(process);
  }

  @Override
  public void close() {
    process.destroyForcibly();
    waitFor(process);
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(java.io.File::delete);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void waitFor(Process process) {
    try {
      if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException("Kafka does not end");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private String log() {
    try {
      return Files.readString(folder.resolve("log"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process java(String program, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(JVM);
    command.addAll(List.of("-cp", classPath, program));
    command.addAll(List.of(arguments));
    try {
      return new ProcessBuilder(command)
          .redirectErrorStream(true)
          .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("log").toFile()))
          .start();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int freePort() {
    return FreePort.find();
  }
}
