package dev.tarn.bench.testbed;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Console;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Collects the figures of a benchmark, with their aims, and prints them as a table or as JSON. */
public final class Figures {

  private static final Pattern AIM = Pattern.compile("(>=|<=|<|>|=) ([0-9.]+)");

  private final List<Figure> figures = new ArrayList<>();

  /**
   * A figure.
   *
   * @param isInTables whether other tables of the benchmark show it
   */
  private record Figure(String name, double value, Optional<String> aim, boolean isInTables) {

    Figure {
      if (aim.isPresent() && !AIM.matcher(aim.get()).matches()) {
        throw new IllegalArgumentException("%s: the aim is '%s'".formatted(name, aim.get()));
      }
    }

    boolean isMet() {
      Matcher matcher = AIM.matcher(aim.orElseThrow());
      if (!matcher.matches()) {
        return false;
      }
      double bound = Double.parseDouble(matcher.group(2));
      return Double.isFinite(value)
          && switch (matcher.group(1)) {
            case ">=" -> value >= bound;
            case "<=" -> value <= bound;
            case ">" -> value > bound;
            case "<" -> value < bound;
            default -> value == bound;
          };
    }
  }

  /** Adds a figure without an aim. */
  public void add(String name, double value) {
    figures.add(new Figure(name, value, Optional.empty(), false));
  }

  /** Adds a number of things without an aim. */
  public void add(String name, long count) {
    add(name, (double) count);
  }

  /** Adds a number of things with an aim, as for other figures. */
  public void add(String name, long count, String aim) {
    add(name, (double) count, aim);
  }

  /**
   * Adds a figure with an aim.
   *
   * @param aim such as {@code >= 3}: one of {@code >= <= > < =}, a space and a number
   */
  public void add(String name, double value, String aim) {
    figures.add(new Figure(name, value, Optional.of(aim), false));
  }

  /** Adds a figure that other tables of the benchmark show, so only the JSON needs it. */
  public void addOfTables(String name, double value) {
    figures.add(new Figure(name, value, Optional.empty(), true));
  }

  /**
   * Prints all as the result of the benchmark. As JSON that is one object; the tables are progress
   * then.
   *
   * @param tables other tables, which come first; empty ones are left out
   */
  public void print(Console console, boolean asJson, String... tables) {
    String text =
        Stream.concat(Stream.of(tables), Stream.of(table()))
            .filter(table -> !table.isEmpty())
            .collect(Collectors.joining("\n\n"));
    if (asJson) {
      console.say("%s", text);
      console.result(json().toString());
    } else {
      console.result(text);
    }
  }

  /** Says of each figure that has not met its aim what it is. */
  public List<String> missed() {
    return figures.stream()
        .filter(figure -> figure.aim().isPresent() && !figure.isMet())
        .map(figure -> "%s: %,.0f".formatted(figure.name(), figure.value()))
        .toList();
  }

  /** Makes a table of what no other table shows; empty if that is nothing. */
  String table() {
    List<Figure> own = figures.stream().filter(figure -> !figure.isInTables()).toList();
    TextTable table = new TextTable("figure", "is", "aim", "met");
    for (Figure figure : own) {
      table.row(
          figure.name(),
          (figure.value() == Math.rint(figure.value()) ? "%,.0f" : "%,.2f")
              .formatted(figure.value()),
          figure.aim().orElse("-"),
          figure.aim().isEmpty() ? "-" : figure.isMet() ? "yes" : "no");
    }
    return own.isEmpty() ? "" : table.toString();
  }

  /** Makes the object with the list of all figures; a value that is no number is null. */
  JsonObject json() {
    JsonArray list = new JsonArray();
    for (Figure figure : figures) {
      JsonObject one = new JsonObject();
      one.addProperty("name", figure.name());
      one.add(
          "value",
          Double.isFinite(figure.value())
              ? new JsonPrimitive(rounded(figure.value()))
              : JsonNull.INSTANCE);
      figure
          .aim()
          .ifPresent(
              aim -> {
                one.addProperty("aim", aim);
                one.addProperty("met", figure.isMet());
              });
      list.add(one);
    }
    JsonObject whole = new JsonObject();
    whole.add("figures", list);
    return whole;
  }

  /** Rounds to three decimals, and writes whole numbers without any. */
  private static BigDecimal rounded(double value) {
    BigDecimal rounded =
        BigDecimal.valueOf(value).setScale(3, RoundingMode.HALF_UP).stripTrailingZeros();
    return rounded.scale() < 0 ? rounded.setScale(0, RoundingMode.UNNECESSARY) : rounded;
  }
}
