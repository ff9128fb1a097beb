package dev.tarn.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;

/** The jars that are shipped, which hold nothing of the benchmarks and of the tests' fixtures. */
class ShippedJarsIT {

  @Test
  void noBenchmarkIsInTheJarOfTheJobs() throws IOException {
    assertHasNoBenchmark(Path.of("etl", "target", "tarn-etl.jar"), "dev/tarn/etl/Main.class");
  }

  @Test
  void noBenchmarkIsInTheJarOfTheServer() throws IOException {
    assertHasNoBenchmark(
        Path.of("serving", "target", "tarn-serving.jar"), "dev/tarn/serving/Main.class");
  }

  private static void assertHasNoBenchmark(Path jar, String main) throws IOException {
    List<String> shipped;
    try (JarFile file = new JarFile(Shell.home().resolve(jar).toFile())) {
      shipped = file.stream().map(ZipEntry::getName).toList();
    }
    assertThat(shipped).contains(main);
    // The libraries that are moved below dev.tarn have names that a benchmark may have too.
    List<String> ours =
        shipped.stream()
            .filter(name -> name.startsWith("dev/tarn/") && !name.startsWith("dev/tarn/shaded/"))
            .toList();
    assertThat(ours)
        .noneMatch(name -> name.contains("/bench/"))
        .noneMatch(name -> name.endsWith("/TcpProxy.class"));
    // A class of the same simple name in another package would be one that was moved back.
    Set<String> own = classNames();
    assertThat(own).contains("BenchPushJob.class");
    // Each program has a Main, with nested classes that the compiler makes.
    own.removeIf(name -> name.matches("(Main|package-info)(\\$.*)?\\.class"));
    assertThat(ours.stream().map(ShippedJarsIT::simple)).doesNotContainAnyElementsOf(own);
  }

  /** Names the files of the benchmarks' classes, without their folders. */
  private static Set<String> classNames() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("target", "classes", "dev", "tarn", "bench"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class"))
          .collect(Collectors.toSet());
    }
  }

  private static String simple(String entry) {
    return entry.substring(entry.lastIndexOf('/') + 1);
  }
}
