package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Reads JSON by a schema: as it is written, or not at all. */
class TestJsonRecords {

  @Test
  void recordsStandInLinesOrArrays() throws IOException {
    for (String text :
        List.of(
            "{\"a\":1}\n{\"a\":2}\n",
            "{\"a\":1} {\"a\":2}",
            "[{\"a\":1},\n {\"a\":2}]",
            "[{\"a\":1}]\n[]\n[{\"a\":2}]")) {
      assertThat(read("a INT", text)).containsExactly("[1]", "[2]");
    }
    assertThat(read("a INT", "")).isEmpty();
    assertThat(read("a INT", "[]")).isEmpty();
  }

  @Test
  void whatIsWrittenIsRead() throws IOException {
    assertThat(
            read(
                "s STRING, d DECIMAL(20,10), l BIGINT, o STRING",
                "{\"s\":1.10,\"d\":1234567890.0123456789,\"l\":\"9007199254740993\","
                    + "\"o\":{\"b\":[1.50, true, null, \"x\"]}}"))
        .containsExactly(
            "[1.10,1234567890.0123456789,9007199254740993,{\"b\":[1.50,true,null,\"x\"]}]");
    assertThat(read("a INT, b STRING", "{\"b\":null,\"other\":{\"a\":7}}"))
        .containsExactly("[null,null]");
    assertThat(read("x DOUBLE, y DOUBLE", "{\"x\":NaN,\"y\":\"-Infinity\"}"))
        .containsExactly("[NaN,-Infinity]");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '~',
      value = {
        "{\"At\":\"2026-01-01\"} # has the field 'At', and the schema has 'at'",
        "{\"at\":1767225600000} # 'at' has the text '1767225600000', which is no timestamp; if it counts time",
        "{\"at\":\"10:30\"} # 'at' has the text '10:30', which is no timestamp",
        "{\"n\":1.0} # 'n' has the text '1.0', which is no int",
        "{\"n\":true} # 'n' has the text 'true', which is no int",
        "{\"n\":[1]} # 'n' must be int and is an array",
        "{\"n\":1,\"n\":2} # has the field 'n' twice",
        "{\"s\":{\"X\":1}} # has the field 's.X', and the schema has 'x'",
        "{\"s\":[]} # 's' must be an object and is [",
        "{\"l\":[1,\"x\"]} # 'l[]' has the text 'x', which is no int",
        "{\"o\":{\"a\":\"\\ud800\"}} # half of a character",
        "7 # a record must be an object",
        "[[{\"n\":1}]] # a record must be an object"
      })
  void whatDoesNotFitIsRefused(String text, String message) {
    assertThatThrownBy(
            () -> read("at TIMESTAMP, n INT, o STRING, s STRUCT<x: INT>, l ARRAY<INT>", text))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(message);
  }

  private static List<String> read(String schema, String text) throws IOException {
    StructType type = StructType.fromDDL(schema);
    List<String> rows = new ArrayList<>();
    try (JsonRecords records =
        new JsonRecords(new StringReader(text), type, TextFormats.iso(), false)) {
      for (InternalRow row = records.next(); row != null; row = records.next()) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < type.length(); i++) {
          values.add(String.valueOf(row.get(i, type.fields()[i].dataType())));
        }
        rows.add("[" + String.join(",", values) + "]");
      }
    }
    return rows;
  }
}
