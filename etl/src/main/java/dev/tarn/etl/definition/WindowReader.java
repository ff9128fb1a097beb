package dev.tarn.etl.definition;

import dev.tarn.aggregate.Aggregate.Kind;
import dev.tarn.cli.Suggestion;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;

/** Reads the aggregates of one window view. */
final class WindowReader {

  /** Greatest number of values that {@code last n} keeps. */
  private static final int MOST_VALUES = 1_000;

  /** Greatest number of cells of a window. */
  private static final long MOST_CELLS = 100_000;

  /** The time from the first to the last moment that an event may have. */
  private static final Duration LONGEST = Duration.ofDays(3_652_059);

  /** Resolutions to choose from where none is given, the coarsest first. */
  private static final List<Duration> RESOLUTIONS =
      List.of(
          Duration.ofHours(1),
          Duration.ofMinutes(10),
          Duration.ofMinutes(1),
          Duration.ofSeconds(10),
          Duration.ofSeconds(1));

  /** The least number of cells of a window whose resolution is not given. */
  private static final int LEAST_CELLS = 60;

  private final Problems problems;
  private final Optional<Source> source;
  private final List<WindowFeature> features = new ArrayList<>();

  WindowReader(Problems problems, Optional<Source> source) {
    this.problems = problems;
    this.source = source;
  }

  /** The aggregates that were read, in the order of the features. */
  List<WindowFeature> features() {
    return List.copyOf(features);
  }

  /**
   * Reads a feature's aggregate and gives the type of the feature, which follows from it. Where the
   * source declares no columns, the definition has to say the type.
   */
  Optional<DataType> type(Node node) {
    Optional<Kind> kind = kind(node);
    int count = kind.equals(Optional.of(Kind.LAST_N)) ? count(node) : 0;
    Optional<String> of = node.text("of");
    Optional<Duration> window = node.duration("window");
    Optional<Duration> resolution = node.duration("resolution");
    if (kind.isPresent() && of.isEmpty() && kind.get().needsValue()) {
      problems.add(
          node.position(),
          "of is missing: %s of which value? of = \"amount\"".formatted(kind.get().word()));
    }
    if (resolution.isPresent() && window.isEmpty()) {
      problems.add(node.position("resolution"), "resolution goes with window = …");
    }
    if (window.isPresent() && window.get().compareTo(LONGEST) > 0) {
      problems.add(
          node.position("window"),
          "window = %s is longer than the years 0001 to 9999: leave it out to have all events"
              .formatted(node.text("window").orElse("")));
      node.text("type");
      return Optional.empty();
    }
    Duration cells =
        window.map(length -> resolution(node, length, resolution)).orElse(Duration.ZERO);
    if (kind.isEmpty() || (of.isEmpty() && kind.get().needsValue())) {
      node.text("type");
      return Optional.empty();
    }
    WindowFeature feature =
        new WindowFeature(
            node.text("name").orElse(""), kind.get(), count, of, window, cells, node.position());
    features.add(feature);
    Optional<DataType> declared =
        node.has("type") ? DeclaredType.of(node, problems) : Optional.empty();
    Optional<DataType> given = given(node, feature);
    if (declared.isPresent() && given.isPresent()) {
      if (!SparkTypes.same(declared.get(), given.get())) {
        problems.add(
            node.position("type"),
            "type = %s, but %s gives %s; leave type out, or write CAST(… AS …) in of"
                .formatted(
                    declared.get().simpleString(), kind.get().word(), given.get().simpleString()));
      }
    }
    return given.or(() -> declared);
  }

  /** The type that the aggregate gives, as far as it is known from the definition alone. */
  private Optional<DataType> given(Node node, WindowFeature feature) {
    Optional<String> of = feature.of();
    if (of.isEmpty()) {
      return feature.resultType(Optional.empty());
    }
    if (of.get().isBlank()) {
      problems.add(node.position("of"), "of" + EventExpression.EMPTY);
      return Optional.empty();
    }
    if (source.isEmpty()) {
      return Optional.empty();
    }
    if (source.get().columns().isEmpty()) {
      if (!node.has("type")) {
        problems.add(
            node.position(),
            "type is missing: source '%s' declares no schema, so say what the aggregate gives: type = %s"
                .formatted(
                    source.get().name(), feature.aggregate() == Kind.COUNT ? "bigint" : "double"));
      }
      return Optional.empty();
    }
    EventExpression.Resolved value =
        EventExpression.resolve(of.get(), source.get().columns().get());
    if (value.problem().isPresent()) {
      problems.add(node.position("of"), "of" + value.problem().get());
      return Optional.empty();
    }
    Optional<DataType> type = feature.resultType(value.type());
    if (type.isEmpty()) {
      problems.add(node.position("of"), feature.refusal(value.type().orElseThrow()));
    }
    return type;
  }

  private Optional<Kind> kind(Node node) {
    Optional<Node.Element> element = node.element("aggregate");
    if (element.isEmpty()) {
      problems.add(node.position(), "aggregate is missing: aggregate = count");
      return Optional.empty();
    }
    if (element.get().node().isPresent()) {
      return Optional.of(Kind.LAST_N);
    }
    List<Kind> plain = Stream.of(Kind.values()).filter(kind -> kind != Kind.LAST_N).toList();
    String word = element.get().text().orElseThrow();
    Optional<Kind> kind = plain.stream().filter(known -> known.word().equals(word)).findFirst();
    if (kind.isEmpty()) {
      List<String> known = new ArrayList<>(plain.stream().map(Kind::word).toList());
      known.add("{ last = 5 }");
      problems.add(
          node.position("aggregate"),
          "there is no aggregate '%s'%s".formatted(word, Suggestion.forName(word, known)));
    }
    return kind;
  }

  private int count(Node node) {
    Node last = node.object("aggregate").orElseThrow();
    Optional<BigDecimal> count = last.decimal("last");
    last.refuseUnknownKeys();
    if (count.isEmpty() && !last.keys().isEmpty()) {
      // It is told already: another key, or no number.
      return 1;
    }
    try {
      int number = count.map(BigDecimal::intValueExact).orElse(0);
      if (number >= 1 && number <= MOST_VALUES) {
        return number;
      }
    } catch (ArithmeticException e) {
      // Told below.
    }
    problems.add(
        node.position("aggregate"),
        "{ last = n } takes a number from 1 to %,d: aggregate = { last = 5 }"
            .formatted(MOST_VALUES));
    return 1;
  }

  private Duration resolution(Node node, Duration window, Optional<Duration> given) {
    Duration resolution =
        given.orElseGet(
            () ->
                RESOLUTIONS.stream()
                    .filter(choice -> isMultiple(window, choice))
                    .filter(choice -> window.dividedBy(choice) >= LEAST_CELLS)
                    .findFirst()
                    .orElse(Duration.ofSeconds(1)));
    if (!isMultiple(window, resolution)) {
      problems.add(
          node.position("resolution"),
          "window = %s is no multiple of resolution = %s: take a resolution that divides it, e.g. %s"
              .formatted(
                  node.text("window").orElse(""),
                  node.text("resolution").orElse(""),
                  RESOLUTIONS.stream()
                      .filter(choice -> isMultiple(window, choice))
                      .findFirst()
                      .map(WindowReader::written)
                      .orElse("1s")));
    } else if (window.dividedBy(resolution) > MOST_CELLS) {
      problems.add(
          node.position("window"),
          "window = %s has %,d cells of %s, and at most %,d are kept: take a larger resolution"
              .formatted(
                  node.text("window").orElse(""),
                  window.dividedBy(resolution),
                  written(resolution),
                  MOST_CELLS));
    }
    return resolution;
  }

  private static boolean isMultiple(Duration window, Duration resolution) {
    return window.toSeconds() % resolution.toSeconds() == 0;
  }

  private static String written(Duration length) {
    long seconds = length.toSeconds();
    return seconds % 3600 == 0
        ? seconds / 3600 + "h"
        : seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
  }
}
