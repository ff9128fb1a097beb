package dev.tarn.bench.testbed;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.etl.console.Console;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TestFigures {

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Console console =
      new Console(
          new PrintStream(out, true, StandardCharsets.UTF_8),
          new PrintStream(err, true, StandardCharsets.UTF_8));

  @Test
  void asJsonNothingButOneObjectIsTheResult() {
    filled().print(console, true, "other table");

    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            "{\"figures\":["
                + "{\"name\":\"rows/s\",\"value\":1200000},"
                + "{\"name\":\"Tarn ÷ other\",\"value\":4.123,\"aim\":\">= 3\",\"met\":true},"
                + "{\"name\":\"p50 ms\",\"value\":0.5}]}\n");
    assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("other table\n\n  figure");
  }

  @Test
  void asTextWhatOtherTablesShowIsNotRepeated() {
    filled().print(console, false, "other table", "");

    assertThat(out.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            other table

              figure        is         aim   met
              rows/s        1,200,000  -     -
              Tarn ÷ other  4.12       >= 3  yes
            """);
    assertThat(err.size()).isZero();
  }

  @Test
  void anAimIsMetOrNot() {
    Figures figures = new Figures();
    figures.add("a", 3, ">= 3");
    figures.add("b", 2.9999, ">= 3");
    figures.add("c", 1.5, "<= 1.5");
    figures.add("d", 1.5001, "<= 1.5");
    figures.add("e", 2, "< 2");
    figures.add("f", 2, "> 1.9");
    figures.add("g", 0, "= 0");
    figures.add("h", Double.NaN, "= 0");
    figures.add("i", Double.POSITIVE_INFINITY, ">= 3");

    assertThat(figures.json().getAsJsonArray("figures"))
        .extracting(figure -> figure.getAsJsonObject().get("met").getAsBoolean())
        .containsExactly(true, false, true, false, false, true, true, false, false);
    assertThat(figures.json().toString()).contains("{\"name\":\"i\",\"value\":null,");
  }

  @Test
  void anAimThatNobodyCanCheckIsRefused() {
    Figures figures = new Figures();
    assertThatThrownBy(() -> figures.add("a", 3, "about 3")).hasMessage("a: the aim is 'about 3'");
  }

  private static Figures filled() {
    Figures figures = new Figures();
    figures.add("rows/s", 1_200_000);
    figures.add("Tarn ÷ other", 4.1234, ">= 3");
    figures.addOfTables("p50 ms", 0.5);
    return figures;
  }
}
