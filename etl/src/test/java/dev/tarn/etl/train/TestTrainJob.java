package dev.tarn.etl.train;

import static dev.tarn.etl.train.TrainingScores.MONDAY;
import static dev.tarn.etl.train.TrainingScores.TUESDAY;
import static dev.tarn.etl.train.TrainingScores.build;
import static dev.tarn.etl.train.TrainingScores.settings;
import static dev.tarn.etl.train.TrainingScores.spine;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.push.Scores;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.parquet.format.Util;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestTrainJob {

  private static final String STANDARDIZED =
      "{ feature = score.points, transform = [standardize] }, { feature = score.level, transform = [one-hot] }";

  @Test
  void aSetIsMadeAgainWithTheSameContentAndItsSnapshotsAreKeptUntilItIsRetired() throws Exception {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "max-age = 2d");
    build(bench, MONDAY, "1, 10, 'a'", "2, 20, 'b'", "3, NULL, 'c'");
    spine(
            bench,
            "(3, '2026-01-06T00:00:00Z'), (1, '2026-01-05T00:00:00Z'), (9, '2026-01-06T00:00:00Z'), (2, '2026-01-07T00:00:00Z')")
        .withColumn("label", functions.rand(1))
        .write()
        .parquet(bench.path("labels").toString());

    assertThat(
            bench.run(
                "train",
                "spine=" + bench.path("labels"),
                "service=ranking",
                "out=" + bench.path("set"),
                "format=json"))
        .isZero();
    JsonObject made =
        JsonParser.parseString(bench.output().lines().findFirst().orElseThrow()).getAsJsonObject();
    assertThat(made.get("rows").getAsLong()).isEqualTo(4);
    Map<String, ByteBuffer> set = files(bench.path("set"));
    assertThat(set).containsOnlyKeys("part-00000.parquet", "_manifest.json");
    assertThat(
            bench
                .spark()
                .read()
                .parquet(bench.path("set").toString())
                .drop("label")
                .collectAsList()
                .toString())
        .isEqualTo(
            "[[1,2026-01-05T00:00:00Z,10,a], [2,2026-01-07T00:00:00Z,20,b], [3,2026-01-06T00:00:00Z,null,c], [9,2026-01-06T00:00:00Z,null,null]]");

    // What has changed since: the rows, other as-ofs, the definition, and old snapshots are let go.
    build(bench, MONDAY, "1, 11, 'x'");
    build(bench, TUESDAY, "2, 12, 'x'");
    Scores.define(
        bench,
        "user_id, at, points, level AS grade",
        "[{ name = points, type = bigint, default = 5 }, { name = grade, type = string, was = level }]",
        "max-age = 1h");
    TrainingScores.service(bench, "score.grade");
    build(bench, TUESDAY, "2, 12, 'x'");
    // A person has tidied the tags.
    String id = made.get("manifest").getAsString();
    FeatureTable.find(bench.lake().catalog(), "score")
        .orElseThrow()
        .refs()
        .change(refs -> refs.removeTag(id));
    assertThat(bench.run("expire", "older-than=0s")).isZero();
    assertThat(bench.output())
        .contains("score: the tag of training set %s was missing; put back".formatted(id))
        .contains("tarn_manifests: ");
    assertThat(bench.run("train", "manifest=" + bench.path("set"), "out=" + bench.path("again")))
        .isZero();
    assertThat(files(bench.path("again"))).isEqualTo(set);
    assertThat(bench.run("train", "manifest=" + id, "out=tarn.%s.again".formatted(database(bench))))
        .isZero();
    assertThat(bench.spark().table("tarn.%s.again".formatted(database(bench))).collectAsList())
        .isEqualTo(bench.spark().read().parquet(bench.path("set").toString()).collectAsList());

    bench.output();
    assertThat(bench.run("manifests")).isZero();
    assertThat(bench.output()).contains(id, "kept", "ranking", bench.path("set").toString());
    assertThat(bench.run("retire", "manifest=" + id)).isZero();
    assertThat(bench.run("expire", "older-than=0s")).isZero();
    bench.output();
    assertThat(bench.run("manifests")).isZero();
    assertThat(bench.output()).contains("No training set is kept.");
    assertThat(bench.run("train", "manifest=" + id, "out=" + bench.path("late"))).isEqualTo(1);
    assertThat(bench.output()).contains("has expired, so what it had can't be read any more");
    assertThat(bench.path("late")).doesNotExist();
    assertThat(bench.run("retire", "manifest=" + id)).isEqualTo(2);
  }

  @Test
  void anotherSpineIsNotTheOneOfTheManifest() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    Dataset<Row> spine = spine(bench, "(1, '2026-01-06T00:00:00Z'), (2, '2026-01-06T00:00:00Z')");
    TrainingSet set = Training.join(bench.spark(), spine, "ranking", settings(bench));
    set.save(bench.path("set").toString());
    String folder = bench.path("set").toString();

    assertThatThrownBy(() -> Training.again(bench.spark(), folder, settings(bench)))
        .hasMessageContaining("was given by a program: say spine=…");
    spine(bench, "(1, '2026-01-06T00:00:00Z'), (3, '2026-01-06T00:00:00Z')")
        .write()
        .parquet(bench.path("other").toString());
    assertThatThrownBy(
            () ->
                Training.again(
                    bench.spark(), folder, settings(bench, "spine=" + bench.path("other"))))
        .hasMessageContaining("is not the one that the set was made with: it has 2 rows");
    // The same rows in another order are the same spine.
    spine.orderBy(functions.desc("user_id")).write().parquet(bench.path("same").toString());
    Training.again(bench.spark(), set.id(), settings(bench, "spine=" + bench.path("same")))
        .save(bench.path("again").toString());
    assertThat(files(bench.path("again"))).isEqualTo(files(bench.path("set")));
    // Saved twice, it is one set.
    set.save(bench.path("copy").toString());
    assertThat(files(bench.path("copy"))).isEqualTo(files(bench.path("set")));
    assertThat(new TrainingSets(bench.lake().catalog()).all()).hasSize(1);
  }

  @Test
  void aSpineThatChangesWhileItIsReadGivesNoSet() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    Dataset<Row> labels = spine(bench, "(1, '2026-01-06T00:00:00Z'), (2, '2026-01-06T00:00:00Z')");
    Dataset<Row> spine =
        labels.filter(
            functions
                .udf(new FirstTwo(), DataTypes.BooleanType)
                .asNondeterministic()
                .apply(functions.col("user_id")));
    FirstTwo.CALLS.set(0);
    TrainingSet set = Training.join(bench.spark(), spine, "ranking", settings(bench));

    for (String out :
        List.of(bench.path("out").toString(), "tarn.%s.out".formatted(database(bench)))) {
      assertThatThrownBy(() -> set.save(out))
          .isInstanceOf(TarnException.class)
          .hasMessageContaining("the spine has 2 rows and 0 were written");
    }
    assertThat(bench.path("out")).doesNotExist();
    assertThat(bench.spark().catalog().tableExists("tarn.%s.out".formatted(database(bench))))
        .isFalse();
    assertThat(refs(bench)).containsExactly("main");
  }

  /** True for two rows, then no more. */
  static final class FirstTwo implements UDF1<Long, Boolean> {
    private static final long serialVersionUID = 1L;
    static final AtomicInteger CALLS = new AtomicInteger();

    @Override
    public Boolean call(Long value) {
      return CALLS.incrementAndGet() <= 2;
    }
  }

  @Test
  void spinesAreFilesOrTables() throws IOException {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    Files.writeString(
        bench.path("labels.csv"),
        """
        user_id,at,amount,what
        1,2026-01-05T01:00:00+01:00,1.50,"a,b"
        1,2026-01-05T00:59:59+01:00,2,c
        """);
    String table = "tarn.%s.labels".formatted(database(bench));
    bench
        .spark()
        .sql(
            "CREATE TABLE %s USING iceberg AS SELECT 1 AS user_id, TIMESTAMP '2026-01-05T00:00:00Z' AS at"
                .formatted(table));
    String out = "tarn.%s.set".formatted(database(bench));

    assertThat(
            bench.run(
                "train",
                "spine=" + bench.path("labels.csv"),
                "time=at",
                "service=ranking",
                "out=" + out))
        .isZero();
    assertThat(bench.spark().table(out).collectAsList().toString())
        .isEqualTo(
            "[[1,2026-01-04T23:59:59Z,2,c,null,null], [1,2026-01-05T00:00:00Z,1.50,a,b,10,a]]");
    assertThat(
            bench.run(
                "train",
                "spine=" + table,
                "time=at",
                "service=ranking",
                "out=" + out,
                "overwrite=true"))
        .isZero();
    assertThat(bench.spark().table(out).collectAsList().toString())
        .isEqualTo("[[1,2026-01-05T00:00:00Z,10,a]]");

    // The table's rows of then.
    String id = new TrainingSets(bench.lake().catalog()).all().get(1).manifest().getId();
    bench
        .spark()
        .sql("INSERT INTO %s VALUES (2, TIMESTAMP '2026-01-05T00:00:00Z')".formatted(table));
    assertThat(bench.run("train", "manifest=" + id, "out=" + bench.path("again"))).isZero();
    assertThat(bench.spark().read().parquet(bench.path("again").toString()).count()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "spine=nowhere.parquet service=ranking out=OUT # 2 # there is no such file or folder",
        "spine=no.such.table service=ranking out=OUT # 2 # there is no such Iceberg table",
        "spine=DIR/labels.csv service=rankin out=OUT # 2 # did you mean 'ranking'?",
        "spine=DIR/labels.csv service=ranking out=OUT # 2 # has the text '2026-01-05 10:00:00', which is no moment with a zone",
        "spine=DIR/text service=ranking out=OUT # 2 # is string, and the time of a row must be a timestamp",
        "spine=DIR/labels.csv service=ranking out=DIR/text # 2 # is there already: give another name, or overwrite=true",
        "spine=DIR/labels.csv service=ranking out=DIR/text overwrite=true # 2 # is not a training set, so it is not overwritten",
        "spine=DIR/labels.csv service=ranking out=DIR/set.csv # 2 # is a folder of Parquet files, or an Iceberg table",
        "spine=DIR/labels.csv service=ranking out=tarn.DATABASE.score overwrite=true # 2 # is not a training set, so it is not overwritten",
        "spine=DIR/labels.csv service=ranking # 2 # train needs out=",
        "manifest=DIR/labels.csv out=OUT # 2 # is not the manifest of a training set",
        "manifest=DIR/no.json out=OUT # 2 # there is no such file",
        "manifest=tarn-train-x out=OUT # 2 # has none of that id",
        "spine=DIR/broken.parquet service=ranking out=OUT # 1 # can't be read"
      })
  void badInputIsToldAndLeavesNothing(String words, int status, String message) throws IOException {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    Files.writeString(bench.path("labels.csv"), "user_id,event_timestamp\n1,2026-01-05 10:00:00\n");
    Files.writeString(bench.path("broken.parquet"), "PAR1");
    bench
        .spark()
        .sql("SELECT 1 AS user_id, '2026' AS event_timestamp")
        .write()
        .parquet(bench.path("text").toString());
    String typed =
        words
            .replace("DIR", bench.path("").toString())
            .replace("OUT", bench.path("out").toString())
            .replace("DATABASE", database(bench));

    assertThat(bench.run(("train " + typed).strip().split(" ", -1))).isEqualTo(status);

    assertThat(bench.output()).contains(message);
    assertThat(bench.path("out")).doesNotExist();
    assertThat(refs(bench)).containsExactly("main");
    assertThat(bench.spark().table("tarn.%s.score".formatted(database(bench))).count())
        .isEqualTo(1);
  }

  @Test
  void aSetThatFailsHalfWayLeavesNothing() {
    Workbench bench = TrainingScores.bench(Scores.FEATURES, "");
    build(bench, MONDAY, "1, 10, 'a'");
    AtFirstOnly.CALLS.set(0);
    Dataset<Row> spine =
        spine(bench, "(1, '2026-01-06T00:00:00Z')")
            .withColumn(
                "label",
                functions
                    .udf(new AtFirstOnly(), DataTypes.LongType)
                    .asNondeterministic()
                    .apply(functions.col("user_id")));
    TrainingSet set = Training.join(bench.spark(), spine, "ranking", settings(bench));
    String table = "tarn.%s.out".formatted(database(bench));

    for (String out : List.of(bench.path("out").toString(), table)) {
      assertThatThrownBy(() -> set.save(out))
          .isInstanceOf(TarnException.class)
          .hasMessageContaining("could not be written to " + out + "; nothing is left there");
    }

    assertThat(bench.path("").toFile().list())
        .doesNotContain("out")
        .noneMatch(name -> name.startsWith(".out"));
    assertThat(bench.spark().catalog().tableExists(table)).isFalse();
    assertThat(refs(bench)).containsExactly("main");
    assertThat(new TrainingSets(bench.lake().catalog()).all()).isEmpty();
  }

  /** A value while the spine is checked, and none while the set is written. */
  static final class AtFirstOnly implements UDF1<Long, Long> {
    private static final long serialVersionUID = 1L;
    static final AtomicInteger CALLS = new AtomicInteger();

    @Override
    public Long call(Long value) {
      if (CALLS.incrementAndGet() > 1) {
        throw new IllegalStateException("the source of labels is gone");
      }
      return value;
    }
  }

  @Test
  void transformsAreFittedOnTheTrainingSplitAndMakeTheVectors() throws Exception {
    Workbench bench =
        TrainingScores.bench(
            "[{ name = points, type = bigint, default = 7 }, { name = level, type = string }]", "");
    TrainingScores.service(bench, STANDARDIZED);
    build(bench, MONDAY, "1, 2, 'a'", "2, 6, 'b'", "3, 1000, 'c'", "4, NULL, 'a'");
    bench.push("score");
    spine(
            bench,
            "(1, '2026-01-05T00:00:00Z'), (2, '2026-01-06T00:00:00Z'), (3, '2026-01-06T00:00:00Z'),"
                + " (4, '2026-01-06T00:00:00Z'), (3, '2026-01-04T00:00:00Z')")
        .withColumn(
            "split",
            functions.expr("IF(user_id = 3 AND event_timestamp > '2026-01-05', 'test', 'train')"))
        .write()
        .parquet(bench.path("labels").toString());
    String spine = "spine=" + bench.path("labels");

    assertThat(
            bench.run(
                "train", spine, "service=ranking", "out=" + bench.path("set"), "vectors=true"))
        .isEqualTo(1);
    assertThat(bench.output()).contains("is not fitted yet: run ./tarn fit service=ranking");
    assertThat(bench.run("fit", spine, "service=ranking", "where=split == 'trian'")).isEqualTo(2);
    assertThat(bench.output()).contains("has no rows to fit on");
    assertThat(bench.run("fit", spine, "service=ranking", "where=split = 'train'", "format=json"))
        .isZero();
    // 2 and 6 are there: mean 4, deviation 2. The test split's 1000 is not seen, nor is 'c'.
    assertThat(bench.output()).contains("\"mean\":4.0,\"std\":2.0", "\"values\":[\"a\",\"b\"]");

    assertThat(
            bench.run(
                "train", spine, "service=ranking", "out=" + bench.path("set"), "vectors=true"))
        .isZero();
    List<String> vectors =
        bench.spark().read().parquet(bench.path("set").toString()).collectAsList().stream()
            .map(row -> row.getLong(0) + " " + floats((byte[]) row.get(3)))
            .toList();
    assertThat(vectors)
        .containsExactly(
            "1 [-1.0, 1.0, 0.0, 0.0]",
            "2 [1.0, 0.0, 1.0, 0.0]",
            "3 [NaN, 0.0, 0.0, 1.0]",
            "3 [498.0, 0.0, 0.0, 1.0]",
            "4 [NaN, 1.0, 0.0, 0.0]");

    String names = "[\"score.points\",\"score.level=a\",\"score.level=b\",\"score.level?\"]";
    String manifest = Files.readString(bench.path("set").resolve("_manifest.json"));
    assertThat(JsonParser.parseString(manifest).getAsJsonObject().get("vectorNames"))
        .isEqualTo(JsonParser.parseString(names));
    assertThat(JsonParser.parseString(footer(bench.path("set")).get("vector_names")))
        .isEqualTo(JsonParser.parseString(names));
    assertThat(
            bench
                .spark()
                .read()
                .parquet(bench.path("set").toString())
                .schema()
                .apply("vector")
                .metadata()
                .getStringArray("vector_names"))
        .containsExactly("score.points", "score.level=a", "score.level=b", "score.level?");

    // Fitted anew meanwhile: the set is what it was.
    assertThat(bench.run("fit", "service=ranking")).isZero();
    assertThat(bench.run("train", "manifest=" + bench.path("set"), "out=" + bench.path("again")))
        .isZero();
    assertThat(files(bench.path("again"))).isEqualTo(files(bench.path("set")));
    assertThat(bench.run("fit", "service=ranking", "where=split = 'train'")).isEqualTo(2);
    assertThat(bench.output()).contains("where= goes with spine=…");
  }

  /** What the footer of the set's first file says beside its schema. */
  private static Map<String, String> footer(Path set) throws IOException {
    byte[] bytes = files(set).get("part-00000.parquet").array();
    int tail = bytes.length - 8;
    int length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(tail);
    Map<String, String> found = new TreeMap<>();
    Util.readFileMetaData(new ByteArrayInputStream(bytes, tail - length, length))
        .getKey_value_metadata()
        .forEach(entry -> found.put(entry.getKey(), entry.getValue()));
    return found;
  }

  private static List<Float> floats(byte[] vector) {
    ByteBuffer buffer = ByteBuffer.wrap(vector).order(ByteOrder.LITTLE_ENDIAN);
    return Stream.generate(buffer::getFloat).limit(vector.length / 4).toList();
  }

  private static Map<String, ByteBuffer> files(Path folder) {
    Map<String, ByteBuffer> files = new TreeMap<>();
    try (Stream<Path> all = Files.list(folder)) {
      for (Path file : all.toList()) {
        // Hadoop's local file system keeps checksums beside files.
        if (!file.toString().endsWith(".crc")) {
          files.put(file.getFileName().toString(), ByteBuffer.wrap(Files.readAllBytes(file)));
        }
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return files;
  }

  private static List<String> refs(Workbench bench) {
    return List.copyOf(
        FeatureTable.find(bench.lake().catalog(), "score").orElseThrow().iceberg().refs().keySet());
  }

  private static String database(Workbench bench) {
    return bench.settings().read(tarn -> tarn.getString("database"));
  }
}
