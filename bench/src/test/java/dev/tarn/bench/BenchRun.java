package dev.tarn.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.Shell;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.console.Console;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Runs of benchmarks with {@code format=json}. */
public final class BenchRun {

  private BenchRun() {}

  /** Runs a benchmark and gives its figures by name. Nothing else may be on its stdout. */
  public static Map<String, JsonObject> figures(Workbench bench, String... words) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Console console =
        new Console(
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8));
    int status =
        bench.run(
            (ignored, load, all) -> Main.run(console, load, all),
            Stream.concat(Stream.of(words), Stream.of("format=json")).toArray(String[]::new));
    assertThat(status).as(err.toString(StandardCharsets.UTF_8)).isZero();
    return figures(out.toString(StandardCharsets.UTF_8));
  }

  /** Runs a benchmark as a user types it. It may end with 1, if figures have not met their aims. */
  public static Map<String, JsonObject> typed(String... words) {
    Workbench bench = new Workbench().set("home", Shell.home().toString());
    Shell.Result result =
        Shell.tarn(
            bench,
            Map.of(),
            Stream.concat(Stream.of(words), Stream.of("format=json")).toArray(String[]::new));
    return figures(
        result
            .output()
            .lines()
            .filter(line -> line.startsWith("{"))
            .findFirst()
            .orElseThrow(() -> new AssertionError(result.output())));
  }

  /** Reads figures, and checks their shape. */
  public static Map<String, JsonObject> figures(String json) {
    JsonObject whole = JsonParser.parseString(json).getAsJsonObject();
    assertThat(whole.keySet()).containsExactly("figures");
    Map<String, JsonObject> figures = new LinkedHashMap<>();
    for (JsonElement element : whole.getAsJsonArray("figures")) {
      JsonObject figure = element.getAsJsonObject();
      assertThat(figure.keySet())
          .isIn(Set.of("name", "value"), Set.of("name", "value", "aim", "met"));
      assertThat(figure.get("value").getAsJsonPrimitive().isNumber()).isTrue();
      assertThat(figures.put(figure.get("name").getAsString(), figure)).as("twice").isNull();
    }
    assertThat(figures).isNotEmpty();
    return figures;
  }
}
