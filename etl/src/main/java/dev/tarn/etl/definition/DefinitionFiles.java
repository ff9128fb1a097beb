package dev.tarn.etl.definition;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigParseOptions;
import dev.tarn.cli.LostKeys;
import dev.tarn.cli.UsageException;
import dev.tarn.cli.Utf8File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Finds the files with definitions and parses them. */
final class DefinitionFiles {

  private DefinitionFiles() {}

  /**
   * The files of a folder in the order of their names.
   *
   * @param base folder that the positions of files below it are relative to
   * @param substitutions values that {@code ${…}} may refer to besides the files themselves
   * @throws UsageException if there is none, or one is not HOCON
   */
  static List<Node> read(Path base, Path folder, Config substitutions, Problems problems) {
    List<Node> files = new ArrayList<>();
    for (Path file : confFiles(folder)) {
      files.add(new Node(base, problems, parse(base, file, substitutions).root()));
    }
    return files;
  }

  private static List<Path> confFiles(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new UsageException(
          "no definitions: there is no folder %s (setting 'definitions')".formatted(folder));
    }
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> found =
          files
              .filter(file -> file.getFileName().toString().endsWith(".conf"))
              .filter(Files::isRegularFile)
              .sorted()
              .toList();
      if (found.isEmpty()) {
        throw new UsageException(
            "no definitions: there is no *.conf file in or below %s (setting 'definitions')"
                .formatted(folder));
      }
      return found;
    } catch (IOException | UncheckedIOException e) {
      throw new UsageException(
          "can't read the definitions at %s (setting 'definitions'): %s".formatted(folder, e), e);
    }
  }

  /** The keys of options are flat, as Spark's readers and Hadoop have them. */
  private static void refuseLostKeys(Path base, Path file) throws IOException {
    Problems problems = new Problems();
    LostKeys.of(
            file,
            path ->
                path.size() > 3 && path.get(0).equals("sources") && path.get(2).equals("options")
                    ? 3
                    : 0)
        .forEach(
            lost ->
                problems.add(
                    position(base, lost.place().file(), lost.place().line()), lost.problem()));
    problems.throwIfAny();
  }

  private static Config parse(Path base, Path file, Config substitutions) {
    Utf8File.require(file);
    try {
      ConfigParseOptions strict = ConfigParseOptions.defaults().setAllowMissing(false);
      Config parsed = ConfigFactory.parseFile(file.toFile(), strict);
      if (parsed.hasPath("tarn")) {
        throw new ConfigException.Generic(
            parsed.getValue("tarn").origin().description() + ": settings go to conf/tarn.conf");
      }
      refuseLostKeys(base, file);
      return parsed.withFallback(substitutions).resolve().withoutPath("tarn");
    } catch (IOException e) {
      throw new UsageException("can't read the definitions at %s: %s".formatted(file, e), e);
    } catch (ConfigException e) {
      ConfigOrigin origin = e.origin();
      Position position =
          position(base, file, origin == null ? 1 : Math.max(1, origin.lineNumber()));
      String message = e.getMessage();
      // It begins with the file and line, which position says already.
      int prefix = origin == null ? -1 : message.indexOf(origin.description() + ": ");
      throw new UsageException(
          "1 problem in the definitions\n  %s: %s"
              .formatted(
                  position,
                  prefix < 0
                      ? message
                      : message.substring(prefix + origin.description().length() + 2)),
          e);
    }
  }

  private static Position position(Path base, Path file, int line) {
    return new Position(Position.file(base, file), line);
  }
}
