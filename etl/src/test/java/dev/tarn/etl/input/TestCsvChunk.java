package dev.tarn.etl.input;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Cuts CSV anywhere and asks where the next record begins. */
class TestCsvChunk {

  @Test
  void everyCutFindsTheRecordAfterIt() throws IOException {
    Random random = new Random(11);
    String[] fields = {"a", "\"b,\"\"c\"", "\"x\ny\"", "\"\r\n\"", "ü", "\"\"", "\"\r\"", ""};
    String[] breaks = {"\n", "\r\n", "\r"};
    for (int round = 0; round < 200; round++) {
      StringBuilder text = new StringBuilder();
      List<Integer> begins = new ArrayList<>();
      List<Boolean> isInQuotes = new ArrayList<>();
      String end = breaks[random.nextInt(3)];
      for (int r = 0; r < 1 + random.nextInt(8); r++) {
        begins.add(utf8(text).length);
        text.append("7,").append(fields[random.nextInt(fields.length)]).append(',');
        text.append(fields[random.nextInt(fields.length)]).append(end);
      }
      byte[] bytes = utf8(text);
      boolean in = false;
      for (byte b : bytes) {
        isInQuotes.add(in);
        in ^= b == '"';
      }
      int to = bytes.length;
      for (int from = 1; from < to; from++) {
        CsvChunk chunk =
            CsvChunk.of(new ByteArrayInputStream(bytes, from, to - from), from, to, '"');
        long found = isInQuotes.get(from) ? chunk.inside() : chunk.outside();
        int cut = from;
        // A cut between CR and LF belongs to the record before, which ends there.
        long expected =
            begins.stream().filter(b -> b > cut).mapToLong(b -> b).findFirst().orElse(to);
        assertThat(found < 0 ? to : found).as("%s at %d", text, from).isEqualTo(expected);
      }
    }
  }

  private static byte[] utf8(CharSequence text) {
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }
}
