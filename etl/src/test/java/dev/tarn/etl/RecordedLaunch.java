package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;

/**
 * The JVM of a job as {@code ./tarn} would start it: the launcher really runs, up to the point
 * where it becomes the JVM.
 *
 * @param options all before the class path
 * @param words what the program is given, the command first
 */
record RecordedLaunch(String java, List<String> options, String classPath, List<String> words) {

  /** Runs the launcher with the workbench's settings behind the words. */
  static RecordedLaunch of(Workbench bench, String... words) {
    Path record = bench.path("launch");
    try {
      Files.deleteIfExists(record);
      Result result =
          Shell.tarn(bench, Map.of("JAVA_HOME", recorder(bench, record).toString()), words);
      assertThat(result.status()).as(result.output()).isZero();
      List<String> all = Files.readAllLines(record);
      int main = all.indexOf(Main.class.getName());
      assertThat(all.get(main - 2)).isEqualTo("-cp");
      return new RecordedLaunch(
          ownJava(),
          all.subList(0, main - 2),
          all.get(main - 1),
          List.copyOf(all.subList(main + 1, all.size())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A folder whose Java writes down what it is to run, and else is the one of this JVM. */
  private static Path recorder(Workbench bench, Path record) throws IOException {
    Path script = bench.path("recorder").resolve("bin").resolve("java");
    if (!Files.exists(script)) {
      Files.createDirectories(script.getParent());
      Files.writeString(
          script,
          """
          #!/bin/sh
          case " $* " in
          *" %s "*) printf '%%s\\n' "$@" >'%s' ;;
          *) exec '%s' "$@" ;;
          esac
          """
              .formatted(Main.class.getName(), record, ownJava()));
      Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }
    return script.getParent().getParent();
  }

  private static String ownJava() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }
}
