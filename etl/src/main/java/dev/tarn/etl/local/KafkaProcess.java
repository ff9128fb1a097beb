package dev.tarn.etl.local;

import dev.tarn.cli.TarnException;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A Kafka broker on this machine, as a process of its own with a class path of its own, because its
 * Scala is not that of Spark. Its data are in a folder and stay there.
 */
public final class KafkaProcess implements AutoCloseable {

  private static final List<String> JVM =
      List.of("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");
  private static final long PATIENCE_SECONDS = 60;

  private final Path folder;
  private final String classPath;
  private final int port;
  private Optional<Process> process = Optional.empty();

  private KafkaProcess(Path folder, String classPath, int port) {
    this.folder = folder;
    this.classPath = classPath;
    this.port = port;
  }

  /**
   * Starts an empty broker on a free port, and waits until it answers.
   *
   * @param home Tarn's folder, where the build has left the broker's class path
   * @param folder a new folder
   * @param settings as of server.properties, beside those that a broker of its own needs
   */
  public static KafkaProcess start(Path home, Path folder, Map<String, String> settings) {
    KafkaProcess broker = new KafkaProcess(folder, classPath(home), freePort());
    try {
      Files.createDirectories(folder);
      broker.format(settings);
    } catch (IOException e) {
      throw new TarnException("can't start Kafka in %s: %s".formatted(folder, e.getMessage()), e);
    }
    broker.run();
    return broker;
  }

  /** Ends a broker that an earlier run could not end. */
  public static void endLeftOver(Path folder) {
    new LocalProcess(pidFile(folder)).stop();
  }

  private static Path pidFile(Path folder) {
    return folder.resolve("kafka.pid");
  }

  private static String classPath(Path home) {
    Path list = home.resolve("proto").resolve("target").resolve("kafka-broker.txt");
    try {
      String classPath = Files.readString(list).strip();
      Optional<String> missing =
          Stream.of(classPath.split(File.pathSeparator, -1))
              .filter(jar -> !Files.exists(Path.of(jar)))
              .findFirst();
      if (missing.isEmpty()) {
        return classPath;
      }
      throw new TarnException(
          "the Kafka broker needs %s, which is missing: mvn -Pkafka-broker process-test-resources -pl proto gets it"
              .formatted(missing.get()));
    } catch (IOException e) {
      throw new TarnException(
          "the jars of the Kafka broker are not known: %s is missing. mvn -Pkafka-broker process-test-resources -pl proto writes it, and so does each build by ./tarn"
              .formatted(list),
          e);
    }
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
    all.put("advertised.listeners", "PLAINTEXT://" + address());
    all.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
    all.put("controller.listener.names", "CONTROLLER");
    all.put("inter.broker.listener.name", "PLAINTEXT");
    all.put("log.dirs", folder.resolve("data").toString());
    for (String internal :
        List.of("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")) {
      all.put(internal + ".num.partitions", "1");
      all.put(internal + ".replication.factor", "1");
    }
    all.put("transaction.state.log.min.isr", "1");
    all.put("share.coordinator.state.topic.min.isr", "1");
    all.put("group.initial.rebalance.delay.ms", "0");
    all.put("auto.create.topics.enable", "false");
    all.put("log.cleaner.dedupe.buffer.size", "2000000");
    all.putAll(settings);
    List<String> lines = new ArrayList<>();
    all.forEach((key, value) -> lines.add(key + "=" + value));
    Files.write(properties(), lines);
    byte[] id = UUID.randomUUID().toString().substring(0, 16).getBytes(StandardCharsets.UTF_8);
    Process formatting =
        java(
            "kafka.tools.StorageTool",
            "format",
            "-t",
            Base64.getUrlEncoder().withoutPadding().encodeToString(id),
            "-c",
            properties().toString());
    if (!hasEnded(formatting) || formatting.exitValue() != 0) {
      throw new TarnException("Kafka can't format its folder; see " + log());
    }
  }

  private Path properties() {
    return folder.resolve("server.properties");
  }

  private Path log() {
    return folder.resolve("kafka.log");
  }

  /** Starts the process again, with what an earlier one has kept, and waits until it answers. */
  public void run() {
    Process started = java("kafka.Kafka", properties().toString());
    process = Optional.of(started);
    new LocalProcess(pidFile(folder)).remember(started.toHandle());
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!answers()) {
      if (!started.isAlive() || System.nanoTime() > deadline) {
        started.destroyForcibly();
        throw new TarnException("Kafka did not start; see " + log());
      }
      pause();
    }
  }

  private boolean answers() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1_000);
      return true;
    } catch (IOException e) {
      return false;
    }
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(50);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
    }
  }

  /** Sends SIGKILL, and waits until the process is gone. What it has stored stays. */
  public void kill() {
    process.ifPresent(
        running -> {
          running.destroyForcibly();
          var unused = hasEnded(running);
        });
  }

  @Override
  public void close() {
    process.ifPresent(Process::destroy);
    if (!process.map(KafkaProcess::hasEnded).orElse(true)) {
      kill();
    }
    var unused = new LocalProcess(pidFile(folder)).stop();
  }

  private static boolean hasEnded(Process process) {
    try {
      return process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TarnException("interrupted", e);
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
          .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
          .start();
    } catch (IOException e) {
      throw new TarnException("can't start Kafka in %s: %s".formatted(folder, e.getMessage()), e);
    }
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new TarnException("no port is free on this machine", e);
    }
  }
}
