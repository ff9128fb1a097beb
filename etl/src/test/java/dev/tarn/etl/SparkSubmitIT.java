package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The jar under a stock spark-submit, which has Spark's jars and none of ours: that of the pyspark
 * package, which this test installs below target/.
 */
class SparkSubmitIT {

  private static final Path VENV = Path.of("target", "pyspark").toAbsolutePath();

  @Test
  void theJobsRunUnderStockSparkSubmit() throws IOException {
    Map<String, String> environment = Map.of("SPARK_HOME", sparkHome().toString());
    Workbench bench = new Workbench();
    Files.writeString(bench.path("numbers.csv"), "n\n1\n2\n3\n");
    bench.define(
        "numbers.conf",
        """
        entities { number { keys = [{ name = n, type = bigint }] } }
        sources { numbers { format = csv, path = "%s", schema = "n BIGINT" } }
        feature-views {
          squares {
            entity = number
            sources = [numbers]
            sql = "SELECT n, n * n AS square FROM numbers"
            features = [{ name = square, type = bigint, default = 0 }]
          }
        }
        """
            .formatted(bench.path("numbers.csv")));

    Result build =
        Shell.tarn(bench, environment, "build", "view=squares", "as-of=2026-01-01", "format=json");
    assertThat(build.output()).contains("\"rows\":3").doesNotContain("INFO");
    assertThat(build.status()).isZero();

    Result push = Shell.tarn(bench, environment, "push", "view=squares", "format=json");
    assertThat(push.output()).contains("\"rows\":3", "\"pushed\":true");
    assertThat(push.status()).isZero();

    Result failing = Shell.tarn(bench, environment, "build", "view=squres", "as-of=2026-01-01");
    assertThat(failing.output()).contains("did you mean 'squares'?");
    assertThat(failing.status()).isEqualTo(2);
  }

  @Test
  void trainingSetsComeFromPySparkWithNothingButTheJar() throws IOException {
    Path home = sparkHome();
    Workbench bench = new Workbench();
    Files.writeString(bench.path("numbers.csv"), "n\n1\n2\n");
    bench.define(
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
            .formatted(bench.path("numbers.csv")));
    bench.build("squares", "2026-01-01T00:00:00Z");
    StringBuilder options = new StringBuilder();
    for (String word : bench.settingWords()) {
      int equals = word.indexOf('=');
      options.append(
          "'%s': '%s', ".formatted(word.substring(0, equals), word.substring(equals + 1)));
    }
    Files.writeString(
        bench.path("train.py"),
        """
        import datetime, sys
        from pyspark.sql import DataFrame, SparkSession

        spark = SparkSession.builder.master("local[2]").config("spark.jars", sys.argv[1]).getOrCreate()
        utc = datetime.timezone.utc
        spine = spark.createDataFrame(
            [(2, datetime.datetime(2026, 1, 2, tzinfo=utc), 0.5), (2, datetime.datetime(2025, 1, 1, tzinfo=utc), 0.25)],
            "n BIGINT, event_timestamp TIMESTAMP, label DOUBLE")
        training = spark._jvm.dev.tarn.etl.train.Training
        made = training.join(spark._jsparkSession, spine._jdf, "model", {%s})
        rows = DataFrame(made.rows(), spark)
        print("columns:", rows.columns)
        print("rows:", sorted((row.label, row.square) for row in rows.collect()))
        made.save("%s")
        print("saved:", spark.read.parquet("%s").count(), made.id() in made.manifest())
        """
            .formatted(options, bench.path("set"), bench.path("set")));

    Result trained =
        Shell.run(
            Map.of("SPARK_HOME", home.toString()),
            List.of(
                VENV.resolve("bin/python").toString(),
                bench.path("train.py").toString(),
                Path.of("target", "tarn-etl.jar").toAbsolutePath().toString()));

    assertThat(trained.output())
        .contains("columns: ['n', 'event_timestamp', 'label', 'square']")
        .contains("rows: [(0.25, None), (0.5, 4)]")
        .contains("saved: 2 True");
    assertThat(trained.status()).isZero();
  }

  private static Path sparkHome() {
    Path python = VENV.resolve("bin/python");
    if (!Files.exists(python)) {
      expectSuccess(List.of("python3", "-m", "venv", VENV.toString()));
    }
    String pyspark = "pyspark==" + System.getProperty("tarn.spark.version");
    expectSuccess(
        List.of(
            python.toString(),
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            pyspark));
    Result where =
        expectSuccess(
            List.of(python.toString(), "-c", "import pyspark; print(pyspark.__path__[0])"));
    return Path.of(where.output().strip());
  }

  private static Result expectSuccess(List<String> command) {
    Result result = Shell.run(Map.of(), command);
    assertThat(result.status()).as("%s: %s", command, result.output()).isZero();
    return result;
  }
}
