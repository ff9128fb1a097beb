package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Shell.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The jar in a stock PySpark, which has Spark's jars and none of ours. */
@Tag("slow")
class SparkSubmitIT {

  @Test
  void trainingSetsComeFromPySparkWithNothingButTheJar() throws IOException {
    Path home = StockSpark.home();
    Workbench bench = StockSpark.squares(2);
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
                StockSpark.python().toString(),
                bench.path("train.py").toString(),
                StockSpark.jar().toString()));

    assertThat(trained.output())
        .contains("columns: ['n', 'event_timestamp', 'label', 'square']")
        .contains("rows: [(0.25, None), (0.5, 4)]")
        .contains("saved: 2 True");
    assertThat(trained.status()).isZero();
  }
}
