package dev.tarn.etl;

import static org.awaitility.Awaitility.await;

import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A small cluster on this machine: Spark's own standalone master and workers of one core each, from
 * a stock Spark, on the loopback interface.
 */
final class StandaloneCluster implements AutoCloseable {

  private final Path home;
  private final Path folder;
  private final int port = Workbench.freePort();
  private final int webPort = Workbench.freePort();
  private final List<Process> processes = new ArrayList<>();

  private StandaloneCluster(Path home, Path folder) {
    this.home = home;
    this.folder = folder;
  }

  /** Starts one, and waits until all its workers are there. */
  static StandaloneCluster start(Path home, Path folder, int workers) {
    StandaloneCluster cluster = new StandaloneCluster(home, folder);
    try {
      cluster.run(
          "master",
          "org.apache.spark.deploy.master.Master",
          "--host",
          "127.0.0.1",
          "--port",
          Integer.toString(cluster.port),
          "--webui-port",
          Integer.toString(cluster.webPort));
      for (int worker = 1; worker <= workers; worker++) {
        cluster.run(
            "worker" + worker,
            "org.apache.spark.deploy.worker.Worker",
            "--host",
            "127.0.0.1",
            "--webui-port",
            "0",
            "--cores",
            "1",
            "--memory",
            "1g",
            "--work-dir",
            folder.resolve("work" + worker).toString(),
            cluster.master());
      }
      await()
          .atMost(Duration.ofSeconds(60))
          .ignoreExceptions()
          .until(() -> cluster.aliveWorkers() == workers);
      return cluster;
    } catch (RuntimeException e) {
      cluster.close();
      throw e;
    }
  }

  /** Returns the address of the master, for {@code --master}. */
  String master() {
    return "spark://127.0.0.1:" + port;
  }

  /** Stops all that was started, executors too. */
  @Override
  public void close() {
    List<ProcessHandle> all =
        processes.stream()
            .flatMap(process -> Stream.concat(process.descendants(), Stream.of(process.toHandle())))
            .toList();
    all.forEach(ProcessHandle::destroy);
    for (ProcessHandle process : all) {
      try {
        process.onExit().get(20, TimeUnit.SECONDS);
      } catch (Exception e) {
        process.destroyForcibly();
      }
    }
  }

  private void run(String name, String... command) {
    List<String> words =
        new ArrayList<>(List.of(home.resolve("bin").resolve("spark-class").toString()));
    words.addAll(List.of(command));
    ProcessBuilder builder =
        Shell.process(words).redirectOutput(folder.resolve(name + ".log").toFile());
    // The workers start executors with what is in their environment.
    builder.environment().put("JDK_JAVA_OPTIONS", Shell.STOCK_JVM_OPTIONS);
    builder.environment().put("SPARK_HOME", home.toString());
    builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    try {
      processes.add(builder.start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private int aliveWorkers() throws IOException, InterruptedException {
    HttpResponse<String> state =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d/json/".formatted(webPort)))
                    .build(),
                HttpResponse.BodyHandlers.ofString());
    return JsonParser.parseString(state.body()).getAsJsonObject().get("aliveworkers").getAsInt();
  }
}
