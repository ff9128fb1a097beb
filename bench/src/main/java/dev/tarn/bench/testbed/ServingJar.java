package dev.tarn.bench.testbed;

import dev.tarn.cli.Settings;
import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The jar of the lookup server. Programs that need Lettuce and its Netty run with it, because Spark
 * needs another Netty.
 */
public record ServingJar(Path path) {

  /** Finds the jar that was built in Tarn's folder. */
  public static ServingJar of(Settings settings) {
    return new ServingJar(
        settings.home().resolve("serving").resolve("target").resolve("tarn-serving.jar"));
  }

  /** Gives the words behind {@code java} that start the lookup server. */
  public List<String> server(List<String> settings) {
    List<String> words = new ArrayList<>(List.of("-jar", path.toString(), "serve"));
    words.addAll(settings);
    return List.copyOf(words);
  }

  /** Gives the words behind {@code java} that start a program of the benchmarks. */
  public List<String> program(Class<?> main, String... arguments) {
    String classPath = path + File.pathSeparator + home(main);
    List<String> words = new ArrayList<>(List.of("-cp", classPath, main.getName()));
    words.addAll(List.of(arguments));
    return List.copyOf(words);
  }

  /** Finds the jar or the folder that a class is in. */
  private static Path home(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
