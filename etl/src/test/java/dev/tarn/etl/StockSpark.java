package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A Spark that has its own jars and none of ours, as users have it: that of the pyspark package,
 * installed below target/ by {@code etl/stock-spark}.
 */
final class StockSpark {

  private StockSpark() {}

  /** Its SPARK_HOME; the first call installs it. */
  static Path home() {
    Result result =
        Shell.run(
            Map.of(),
            List.of(python().toString(), "-c", "import pyspark; print(pyspark.__path__[0])"));
    assertThat(result.status()).as(result.output()).isZero();
    return lastLine(result);
  }

  /** The Python that has it; the first call installs it. */
  static Path python() {
    return lastLine(Shell.prepare("etl/stock-spark"));
  }

  /** The jar that is shipped. */
  static Path jar() {
    return Path.of("target", "tarn-etl.jar").toAbsolutePath();
  }

  /** A workbench with the view {@code squares} of the numbers from 1, not built yet. */
  static Workbench squares(int numbers) {
    Workbench bench = new Workbench();
    Path csv = bench.path("numbers.csv");
    try {
      Files.writeString(
          csv,
          IntStream.rangeClosed(1, numbers)
              .mapToObj(Integer::toString)
              .collect(Collectors.joining("\n", "n\n", "\n")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bench.define(
        "numbers.conf",
        """
        entities { number { keys = [{ name = n, type = bigint }] } }
        sources { numbers { format = csv, path = "%s", schema = "n BIGINT" } }
        feature-views {
          squares {
            entity = number
            sources = [numbers]
            sql = "SELECT n, n * n AS square FROM numbers"
            features = [{ name = square, type = bigint }]
          }
        }
        feature-services { model { features = [squares.square] } }
        """
            .formatted(csv));
  }

  /** The path that a command prints, below what it may say while it installs. */
  private static Path lastLine(Result result) {
    String output = result.output().strip();
    return Path.of(output.substring(output.lastIndexOf('\n') + 1));
  }
}
