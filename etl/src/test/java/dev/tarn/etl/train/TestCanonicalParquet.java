package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.format.Encoding;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.Util;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Files of the same rows whose columns' encodings stand in other orders, as other processes do. */
class TestCanonicalParquet {

  private final Workbench bench = new Workbench();
  private final SparkSession spark = bench.spark();
  private Path file;

  @BeforeEach
  void write() throws IOException {
    spark
        .range(0, 5_000, 1, 1)
        .selectExpr(
            "id",
            "id % 7 AS few",
            "if(id % 3 = 0, NULL, rand(1)) AS x",
            "array(cast(id AS STRING), 'a') AS texts")
        .write()
        .parquet(bench.path("spark").toString());
    try (Stream<Path> files = Files.list(bench.path("spark"))) {
      file =
          files
              .filter(path -> path.getFileName().toString().startsWith("part-"))
              .findFirst()
              .orElseThrow();
    }
  }

  @Test
  void theOrderOfEncodingsInAFooterMakesNoOtherFile() throws IOException {
    byte[] forward = withEncodings(file, false);
    byte[] backward = withEncodings(file, true);
    assertThat(forward).isNotEqualTo(backward);

    byte[] canonical = copy(forward);
    assertThat(copy(backward)).isEqualTo(canonical);
    assertThat(copy(canonical)).isEqualTo(canonical);
    assertThat(encodings(footer(canonical))).allSatisfy(some -> assertThat(some).isSorted());
  }

  @Test
  void theRowsAreTheSame() throws IOException {
    Path copy = bench.path("copy.parquet");
    Files.write(copy, copy(withEncodings(file, true)));
    List<Row> rows = spark.read().parquet(copy.toString()).collectAsList();
    assertThat(rows)
        .hasSize(5_000)
        .isEqualTo(spark.read().parquet(file.toString()).collectAsList());
    // Footer and page indexes lead to a row.
    assertThat(spark.read().parquet(copy.toString()).filter("id = 4999").count()).isEqualTo(1);
  }

  private byte[] copy(byte[] bytes) throws IOException {
    Path from = bench.path("from.parquet");
    Path to = bench.path("to.parquet");
    Files.write(from, bytes);
    Files.deleteIfExists(bench.path(".from.parquet.crc"));
    CanonicalParquet.copy(
        new org.apache.hadoop.fs.Path(from.toUri()),
        new org.apache.hadoop.fs.Path(to.toUri()),
        Map.of(),
        new Configuration());
    return Files.readAllBytes(to);
  }

  private static byte[] withEncodings(Path file, boolean reversed) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    FileMetaData metadata = footer(bytes);
    for (List<Encoding> encodings : encodings(metadata)) {
      assertThat(encodings).hasSizeGreaterThan(1);
      Collections.sort(encodings);
      if (reversed) {
        Collections.reverse(encodings);
      }
    }
    ByteArrayOutputStream changed = new ByteArrayOutputStream();
    changed.write(bytes, 0, bytes.length - 8 - footerLength(bytes));
    int data = changed.size();
    Util.writeFileMetaData(metadata, changed);
    int length = changed.size() - data;
    changed.writeBytes(
        ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(0, length).array());
    changed.write(bytes, bytes.length - 4, 4);
    return changed.toByteArray();
  }

  /** Lists the encodings of each column of each row group. */
  private static List<List<Encoding>> encodings(FileMetaData metadata) {
    return metadata.getRow_groups().stream()
        .flatMap(group -> group.getColumns().stream())
        .map(column -> column.getMeta_data().getEncodings())
        .toList();
  }

  private static FileMetaData footer(byte[] bytes) throws IOException {
    int end = bytes.length - 8;
    return Util.readFileMetaData(
        new ByteArrayInputStream(Arrays.copyOfRange(bytes, end - footerLength(bytes), end)));
  }

  private static int footerLength(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(bytes.length - 8);
  }
}
