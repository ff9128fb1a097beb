package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.etl.Workbench;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** Divides files of CSV among tasks: together the parts have each record once, in its place. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestTextParts {

  private static final StructType SCHEMA = StructType.fromDDL("id INT, text STRING");

  private final Configuration configuration = new Configuration();
  private Workbench bench;

  @BeforeAll
  void open() {
    bench = new Workbench();
  }

  @Test
  void partsHaveEachRecordOnce() throws IOException {
    Random random = new Random(3);
    String[] texts = {
      "a", "\"b,\"\"c\"", "\"x\ny\"", "\"\r\n\r\n\"", "ü😀", "\"\"", "\"\"\"\"", ""
    };
    StringBuilder text = new StringBuilder("id,text\r\n");
    for (int i = 0; i < 500; i++) {
      text.append(i).append(',').append(texts[random.nextInt(texts.length)]).append("\r\n");
    }
    List<String> whole = read(text.toString(), Long.MAX_VALUE / 4, 1);
    assertThat(whole).hasSize(500);
    for (long most : new long[] {40, 97, 1000}) {
      assertThat(read(text.toString(), most, 4)).isEqualTo(whole);
    }
  }

  @Test
  void aPartNamesTheLineInTheFile() {
    StringBuilder text = new StringBuilder("id,text\n");
    for (int i = 0; i < 100; i++) {
      text.append(i == 90 ? "x" : i).append(",\"two\nlines\"\n");
    }
    assertThatThrownBy(() -> read(text.toString(), 200, 4))
        .isInstanceOf(InputException.class)
        // The header and 90 records of two lines stand before it.
        .hasMessageContaining(" line 182: 'id' has the text 'x', which is no int");
  }

  @Test
  void sqlSeesTheFileOfARow() throws IOException {
    Path file = Files.writeString(bench.path("b c.csv"), "id,text\n1,x\n");
    assertThat(
            TextFilesTable.open(bench.spark(), configuration, spec(), find(file))
                .selectExpr("input_file_name()")
                .as(Encoders.STRING())
                .collectAsList())
        .containsExactly("file:" + file.toString().replace(" ", "%20"));
  }

  private List<String> read(String text, long most, int leastParts) throws IOException {
    Path file = Files.write(bench.path("a.csv"), text.getBytes(StandardCharsets.UTF_8));
    TextSpec spec = spec();
    List<TextPart> parts = TextParts.of(bench.spark(), configuration, spec, find(file), most);
    assertThat(parts).hasSizeGreaterThanOrEqualTo(leastParts);
    List<String> rows = new ArrayList<>();
    for (TextPart part : parts) {
      try (TextPartReader reader = new TextPartReader(spec, SCHEMA, part, configuration)) {
        while (reader.next()) {
          rows.add(
              reader.get().get(0, SCHEMA.apply(0).dataType())
                  + " "
                  + reader.get().get(1, SCHEMA.apply(1).dataType()));
        }
      }
    }
    return rows;
  }

  private List<InputFile> find(Path file) {
    return InputFiles.find(configuration, file.toString(), "csv", false, Map.of()).files();
  }

  private static TextSpec spec() {
    Options options = new Options(Map.of());
    return new TextSpec(
        "the file",
        false,
        SCHEMA,
        new StructType(),
        CsvDialect.of(options),
        TextFormats.of(options, Optional.empty()),
        "",
        false,
        false,
        false,
        false);
  }
}
