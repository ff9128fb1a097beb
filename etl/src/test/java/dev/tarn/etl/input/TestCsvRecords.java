package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Reads CSV as RFC 4180 has it. Null stands for a field that is empty and in no quotes. */
class TestCsvRecords {

  @Test
  void fieldsAreWhatTheyWere() throws IOException {
    assertThat(read("a,b\r\nc,d\r\n")).containsExactly(row("a", "b"), row("c", "d"));
    assertThat(read("a,b\nc,d")).containsExactly(row("a", "b"), row("c", "d"));
    assertThat(read("a,b\rc,d\r")).containsExactly(row("a", "b"), row("c", "d"));
    assertThat(read("\"5\"\" pipe, \"\"steel\"\"\",x\n"))
        .containsExactly(row("5\" pipe, \"steel\"", "x"));
    assertThat(read("\"two\nlines\",\"three\r\nmore\r\nlines\"\n"))
        .containsExactly(row("two\nlines", "three\r\nmore\r\nlines"));
    assertThat(read(",\"\",x\n\n , ,\n")).containsExactly(row(null, "", "x"), row(" ", " ", null));
    assertThat(read("a\\,b\\\n")).containsExactly(row("a\\", "b\\"));
    assertThat(read("\uFEFFa,ü,😀\n")).containsExactly(row("a", "ü", "😀"));
    assertThat(read("\"\uFEFFa\"")).containsExactly(row("\uFEFFa"));
    assertThat(read("")).isEmpty();
    assertThat(read("\n\r\n\n")).isEmpty();
    assertThat(read("a,")).containsExactly(row("a", null));
    assertThat(read("\"\"\"\"")).containsExactly(row("\""));
  }

  @Test
  void optionsNameOtherDialects() throws IOException {
    assertThat(read("a;\"b;c\"\n", "sep", ";")).containsExactly(row("a", "b;c"));
    assertThat(read("a\t5\" pipe\n", "delimiter", "\\t", "quote", ""))
        .containsExactly(row("a", "5\" pipe"));
    assertThat(read("'it''s',\"x\n", "quote", "'")).containsExactly(row("it's", "\"x"));
    assertThat(read("\"a\\\"b\\\\\",\"c\"\"d\\n\"\n", "escape", "\\"))
        .containsExactly(row("a\"b\\", "c\"d\\n"));
    assertThat(read("# a note, \"\nx,#y\n", "comment", "#")).containsExactly(row("x", "#y"));
    assertThat(read("NA,\"NA\",\n", "nullValue", "NA")).containsExactly(row(null, "NA", null));
    assertThat(
            read(
                " a , \" b \" \n",
                "ignoreLeadingWhiteSpace",
                "true",
                "ignoreTrailingWhiteSpace",
                "true"))
        .containsExactly(row("a", " b "));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '~',
      value = {
        "a,\"b | has a quote that is not closed",
        "a,\"b\"c,d | has 'c' after a closing quote",
        "a,\"b\" ,d | has ' ' after a closing quote",
        "a,5\" pipe,d | has a quote in a field that does not begin with one",
        "a, \"b,c\" | has a quote in a field that does not begin with one"
      })
  void whatIsNoCsvIsRefused(String text, String message) {
    assertThatThrownBy(() -> read(text))
        .isInstanceOf(NoValueException.class)
        .hasMessageContaining(message);
  }

  @Test
  void bytesThatAreNoUtf8AreRefused() {
    byte[] latin = "1,Müller\n".getBytes(StandardCharsets.ISO_8859_1);
    assertThatThrownBy(() -> read(new ByteArrayInputStream(latin), new Options(Map.of())))
        .isInstanceOf(CsvRecords.NoUtf8Exception.class);
  }

  @Test
  void linesAndRecordsAreCounted() throws IOException {
    CsvRecords records =
        new CsvRecords(
            stream("h\n\n\"a\r\nb\nc\"\r\nx\r\ry\n"), CsvDialect.of(new Options(Map.of())));
    List<String> places = new ArrayList<>();
    while (records.next()) {
      places.add(records.line() + " " + records.records() + " " + records.text(0).length());
    }
    assertThat(places).containsExactly("1 1 1", "3 2 6", "6 3 1", "8 4 1");
  }

  // What a program wrote by the rules of RFC 4180 is read back, whatever it was.
  @Test
  void anyTextsComeBack() throws IOException {
    Random random = new Random(7);
    String alphabet = "ab,;\"'\n\r\\ ü😀\t0";
    for (int round = 0; round < 300; round++) {
      List<List<String>> rows = new ArrayList<>();
      StringBuilder written = new StringBuilder();
      int width = 2 + random.nextInt(3);
      for (int r = 0; r < 1 + random.nextInt(20); r++) {
        List<String> row = new ArrayList<>();
        for (int c = 0; c < width; c++) {
          StringBuilder field = new StringBuilder();
          // Some of them are longer than a buffer.
          int length = random.nextInt(200) == 0 ? 70_000 : random.nextInt(8);
          for (int i = 0; i < length; i++) {
            field.append(alphabet.charAt(random.nextInt(alphabet.length())));
          }
          String text =
              new String(field.toString().getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
          row.add(text);
          boolean isPlain =
              !text.isEmpty() && text.chars().noneMatch(ch -> ",\"\n\r".indexOf(ch) >= 0);
          written
              .append(c == 0 ? "" : ",")
              .append(isPlain ? text : "\"" + text.replace("\"", "\"\"") + "\"");
        }
        rows.add(row);
        written.append(random.nextBoolean() ? "\n" : "\r\n");
      }
      assertThat(read(written.toString())).isEqualTo(rows);
    }
  }

  private static List<List<String>> read(String text, String... options) throws IOException {
    Map<String, String> all = new java.util.HashMap<>();
    for (int i = 0; i < options.length; i += 2) {
      all.put(options[i], options[i + 1]);
    }
    return read(stream(text), new Options(all));
  }

  private static List<List<String>> read(InputStream in, Options options) throws IOException {
    List<List<String>> rows = new ArrayList<>();
    try (CsvRecords records = new CsvRecords(in, CsvDialect.of(options)).withoutMark()) {
      while (records.next()) {
        List<String> row = new ArrayList<>();
        for (int i = 0; i < records.fields(); i++) {
          row.add(records.isNull(i) ? null : records.text(i));
        }
        rows.add(row);
      }
    }
    return rows;
  }

  private static InputStream stream(String text) {
    return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
  }

  private static List<String> row(String... fields) {
    return new ArrayList<>(java.util.Arrays.asList(fields));
  }
}
