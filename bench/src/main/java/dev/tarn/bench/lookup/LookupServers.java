package dev.tarn.bench.lookup;

import dev.tarn.bench.process.RivalServer;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.bench.testbed.ServingJar;
import dev.tarn.cli.Settings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Starts the servers that are measured, all with the same options of the JVM. */
final class LookupServers {

  /** Enough young generation that a collection is rare; the same for all servers. */
  private static final List<String> JVM =
      List.of("-Xms512m", "-Xmx512m", "-Xmn384m", "-XX:+UseSerialGC");

  private final Settings settings;
  private final BenchRedis redis;
  private final Path folder;

  LookupServers(Settings settings, BenchRedis redis, Path folder) {
    this.settings = settings;
    this.redis = redis;
    this.folder = folder;
  }

  /**
   * Starts Tarn's server.
   *
   * @param name of its folder
   * @param more settings as they are typed
   */
  ServerProcess tarn(String name, List<String> more) throws IOException {
    List<String> words =
        new ArrayList<>(
            List.of(
                "serving.port=0",
                "serving.http-port=0",
                "redis.port=" + redis.port(),
                "redis.namespace=" + settings.read(config -> config.getString("redis.namespace"))));
    words.addAll(more);
    return ServerProcess.start(folder.resolve(name), JVM, ServingJar.of(settings).server(words));
  }

  /** Starts a rival; {@link RivalServer} says which kinds there are, and their argument. */
  ServerProcess rival(String kind, String argument) throws IOException {
    return ServerProcess.start(
        folder.resolve(kind),
        JVM,
        ServingJar.of(settings)
            .program(RivalServer.class, kind, Integer.toString(redis.port()), argument));
  }
}
