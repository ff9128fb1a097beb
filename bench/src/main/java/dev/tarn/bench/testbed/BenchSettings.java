package dev.tarn.bench.testbed;

import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueFactory;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import java.nio.file.Path;
import java.util.Map;

/** Makes the settings of a benchmark: those given, with a lake and a Redis of its own. */
public final class BenchSettings {

  private BenchSettings() {}

  public static Settings of(CommandLine line, Path folder, int redisPort) {
    return of(line, folder, redisPort, Map.of());
  }

  /**
   * Makes settings as {@link #of(CommandLine, Path, int)} does.
   *
   * @param more settings of the benchmark's own, by name
   */
  public static Settings of(
      CommandLine line, Path folder, int redisPort, Map<String, String> more) {
    var config = ConfigFactory.empty();
    for (String word : line.settingWords()) {
      config =
          config.withValue(
              "tarn." + word.substring(0, word.indexOf('=')),
              ConfigValueFactory.fromAnyRef(word.substring(word.indexOf('=') + 1)));
    }
    for (Map.Entry<String, Object> own :
        Map.<String, Object>of(
                "definitions",
                folder.resolve("features").toString(),
                "catalog.type",
                "jdbc",
                "catalog.uri",
                "jdbc:sqlite:" + folder.resolve("catalog.db"),
                "catalog.warehouse",
                folder.resolve("warehouse").toString(),
                "redis.host",
                "127.0.0.1",
                "redis.port",
                redisPort)
            .entrySet()) {
      config =
          config.withValue("tarn." + own.getKey(), ConfigValueFactory.fromAnyRef(own.getValue()));
    }
    for (Map.Entry<String, String> own : more.entrySet()) {
      config =
          config.withValue("tarn." + own.getKey(), ConfigValueFactory.fromAnyRef(own.getValue()));
    }
    return Settings.load(config);
  }
}
