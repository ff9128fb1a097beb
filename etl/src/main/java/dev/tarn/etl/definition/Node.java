package dev.tarn.etl.definition;

import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import dev.tarn.cli.Hocon;
import dev.tarn.cli.Suggestion;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * One HOCON object of a definition file, read key by key. What is missing or of the wrong type
 * becomes a problem with its file and line and an empty result, so that reading goes on.
 */
final class Node {

  private static final Pattern LINE = Pattern.compile("(\\d+)$");

  /** The form in which HOCON describes the origin of a value that it merged within a file. */
  private static final Pattern LINES = Pattern.compile(": \\d+-(\\d+)$");

  private static final Pattern DURATION = Pattern.compile("(\\d+) ?(s|m|h|d)");

  private final Path base;
  private final Problems problems;
  private final ConfigObject object;
  private final Set<String> read = new TreeSet<>();

  Node(Path base, Problems problems, ConfigObject object) {
    this.base = base;
    this.problems = problems;
    this.object = object;
  }

  /** Position at which this object begins. */
  Position position() {
    return position(object);
  }

  /** Position of a key's value, or else of this object. */
  Position position(String key) {
    return object.containsKey(key) ? position(object.get(key)) : position();
  }

  /** The file of a path that is relative to the file in which a key is written. */
  Path beside(String key, String path) {
    return Path.of(object.get(key).origin().filename()).toAbsolutePath().resolveSibling(path);
  }

  boolean has(String key) {
    read.add(key);
    return object.containsKey(key);
  }

  /** The objects below a key, by name, in the order in which they are written. */
  List<Map.Entry<String, Node>> named(String key) {
    read.add(key);
    if (!object.containsKey(key)) {
      return List.of();
    }
    return asObject(key, object.get(key)).stream().flatMap(Node::entries).toList();
  }

  private Stream<Map.Entry<String, Node>> entries() {
    List<Map.Entry<String, Node>> entries = new ArrayList<>();
    for (String name : object.keySet()) {
      ConfigValue value = object.get(name);
      // HOCON would merge two objects of one name without a word.
      String origin = value.origin().description();
      Matcher lines = LINES.matcher(origin);
      if (lines.find()) {
        problems.add(
            position(value),
            "'%s' is defined twice, here and at line %s".formatted(name, lines.group(1)));
      } else if (origin.startsWith("merge of")) {
        problems.add(position(value), "'%s' is defined twice".formatted(name));
      }
      asObject(name, value).ifPresent(node -> entries.add(Map.entry(name, node)));
    }
    entries.sort(java.util.Comparator.comparing(entry -> entry.getValue().position().line()));
    return entries.stream();
  }

  /** The objects in the list at a key. */
  List<Node> list(String key, String example) {
    List<Node> nodes = new ArrayList<>();
    for (ConfigValue value : values(key, example)) {
      if (value instanceof ConfigObject element) {
        nodes.add(new Node(base, problems, element));
      } else {
        problems.add(position(value), "%s is a list of objects: %s".formatted(key, example));
      }
    }
    return nodes;
  }

  /** Whether a key has a list. */
  boolean isList(String key) {
    read.add(key);
    return object.get(key) instanceof ConfigList;
  }

  /** Whether any object in the list at a key has a key of its own. Nothing counts as read. */
  boolean anyHas(String key, String inner) {
    return object.get(key) instanceof ConfigList list
        && list.stream()
            .anyMatch(value -> value instanceof ConfigObject of && of.containsKey(inner));
  }

  /** The texts in the list at a key, each with its position. */
  List<Map.Entry<String, Position>> texts(String key) {
    List<Map.Entry<String, Position>> texts = new ArrayList<>();
    for (ConfigValue value : values(key, "[a, b]")) {
      if (value.valueType() == ConfigValueType.NULL) {
        problems.add(
            position(value),
            "%s: null is no value of a list: leave it out, or write the text \"null\" in quotes"
                .formatted(key));
      } else if (value instanceof ConfigObject || value instanceof ConfigList) {
        problems.add(position(value), "%s is a list of names: [a, b]".formatted(key));
      } else {
        texts.add(Map.entry(Hocon.text(value), position(value)));
      }
    }
    return texts;
  }

  /** The texts in the list at a key. */
  List<String> names(String key) {
    return texts(key).stream().map(Map.Entry::getKey).toList();
  }

  /**
   * An element of a list that has texts and objects.
   *
   * @param text the text of an element that is no object
   */
  record Element(Optional<String> text, Optional<Node> node, Position position) {}

  /** The texts and objects in the list at a key. */
  List<Element> elements(String key, String example) {
    List<Element> elements = new ArrayList<>();
    for (ConfigValue value : values(key, example)) {
      if (value instanceof ConfigObject element) {
        Node node = new Node(base, problems, element);
        elements.add(new Element(Optional.empty(), Optional.of(node), node.position()));
      } else if (value instanceof ConfigList || value.valueType() == ConfigValueType.NULL) {
        problems.add(position(value), "%s is a list: %s = %s".formatted(key, key, example));
      } else {
        String text = Hocon.text(value);
        elements.add(new Element(Optional.of(text), Optional.empty(), position(value)));
      }
    }
    return elements;
  }

  /** The text or object at a key. */
  Optional<Element> element(String key) {
    return value(key)
        .flatMap(
            value -> {
              if (value instanceof ConfigObject element) {
                Node node = new Node(base, problems, element);
                return Optional.of(
                    new Element(Optional.empty(), Optional.of(node), node.position()));
              }
              return text(key)
                  .map(text -> new Element(Optional.of(text), Optional.empty(), position(value)));
            });
  }

  /** The numbers in the list at a key. */
  List<Double> numbers(String key) {
    List<Double> numbers = new ArrayList<>();
    for (ConfigValue value : values(key, "[1, 10]")) {
      if (value.unwrapped() instanceof Number number) {
        numbers.add(number.doubleValue());
      } else {
        problems.add(position(value), "%s is a list of numbers: [1, 10]".formatted(key));
      }
    }
    return numbers;
  }

  private List<ConfigValue> values(String key, String example) {
    read.add(key);
    ConfigValue value = object.get(key);
    if (value == null) {
      return List.of();
    }
    if (value instanceof ConfigList list) {
      return list;
    }
    problems.add(position(value), "%s is a list: %s = %s".formatted(key, key, example));
    return List.of();
  }

  Optional<Node> object(String key) {
    read.add(key);
    return object.containsKey(key) ? asObject(key, object.get(key)) : Optional.empty();
  }

  /** Reads a text that must be there. */
  Optional<String> required(String key, String example) {
    Optional<String> text = text(key);
    if (text.isEmpty() && !object.containsKey(key)) {
      problems.add(position(), "%s is missing: %s = %s".formatted(key, key, example));
    }
    return text;
  }

  Optional<String> text(String key) {
    return value(key)
        .flatMap(
            value -> {
              if (value instanceof ConfigObject || value instanceof ConfigList) {
                problems.add(position(value), "%s is a text".formatted(key));
                return Optional.empty();
              }
              return Optional.of(Hocon.text(value));
            });
  }

  /** The value as it is, unless it is null or not there. */
  Optional<ConfigValue> value(String key) {
    read.add(key);
    return Optional.ofNullable(object.get(key))
        .filter(value -> value.valueType() != ConfigValueType.NULL);
  }

  Optional<Double> number(String key) {
    return value(key)
        .flatMap(
            value -> {
              if (value.unwrapped() instanceof Number number) {
                return Optional.of(number.doubleValue());
              }
              problems.add(position(value), "%s is a number".formatted(key));
              return Optional.empty();
            });
  }

  /** A number with all its digits. */
  Optional<BigDecimal> decimal(String key) {
    return value(key)
        .filter(value -> number(key).isPresent())
        .map(value -> new BigDecimal(Hocon.text(value)));
  }

  /** The texts below a key whose keys are flat, e.g. {@code options { a.b = 1 }}. */
  Map<String, String> flat(String key) {
    Map<String, String> flat = new TreeMap<>();
    object(key)
        .ifPresent(
            node ->
                Hocon.flat(node.object.toConfig())
                    .forEach((name, value) -> flat.put(name, Hocon.text(value))));
    return flat;
  }

  /** A positive number of seconds, minutes, hours or days, e.g. {@code 2d}. */
  Optional<Duration> duration(String key) {
    return text(key)
        .flatMap(
            text -> {
              Optional<Duration> duration = parseDuration(text);
              if (duration.isEmpty()) {
                problems.add(
                    position(key),
                    "%s = %s is not a duration: write 90s, 30m, 6h or 2d".formatted(key, text));
              }
              return duration;
            });
  }

  static Optional<Duration> parseDuration(String text) {
    Matcher matcher = DURATION.matcher(text.strip());
    if (!matcher.matches() || matcher.group(1).length() > 9) {
      return Optional.empty();
    }
    long count = Long.parseLong(matcher.group(1));
    Duration duration =
        switch (matcher.group(2)) {
          case "s" -> Duration.ofSeconds(count);
          case "m" -> Duration.ofMinutes(count);
          case "h" -> Duration.ofHours(count);
          default -> Duration.ofDays(count);
        };
    return Optional.of(duration).filter(length -> !length.isZero());
  }

  /** Names below this object, for objects whose keys are the user's own. */
  Set<String> keys() {
    return object.keySet();
  }

  /** Refuses every key that nobody has asked for. Call this last. */
  void refuseUnknownKeys() {
    for (String key : object.keySet()) {
      if (!read.contains(key)) {
        problems.add(
            position(key),
            "there is no key '%s' here%s".formatted(key, Suggestion.forName(key, read)));
      }
    }
  }

  private Optional<Node> asObject(String key, ConfigValue value) {
    if (value instanceof ConfigObject element) {
      return Optional.of(new Node(base, problems, element));
    }
    problems.add(position(value), "%s is an object: %s { … }".formatted(key, key));
    return Optional.empty();
  }

  private Position position(ConfigValue value) {
    ConfigOrigin origin = value.origin();
    String file =
        origin.filename() == null
            ? origin.description()
            : Position.file(base, Path.of(origin.filename()));
    // For a merged value only the description has the lines: "merge of a.conf: 3,a.conf: 9".
    Matcher last = LINE.matcher(origin.description());
    int line = origin.lineNumber() > 0 || !last.find() ? origin.lineNumber() : lineOf(last);
    return new Position(file, line - linesWithin(value));
  }

  /**
   * Number of lines by which a text in triple quotes begins before the line that HOCON gives, which
   * is its last.
   */
  private static int linesWithin(ConfigValue value) {
    String file = value.origin().filename();
    int end = value.origin().lineNumber();
    if (file == null || end < 1 || !(value.unwrapped() instanceof String text)) {
      return 0;
    }
    int lines = (int) text.chars().filter(c -> c == '\n').count();
    if (lines == 0) {
      return 0;
    }
    try (Stream<String> all = Files.lines(Path.of(file))) {
      // A text in single quotes may have line breaks too, but written as \n.
      return all.skip(end - 1L).findFirst().filter(l -> l.contains("\"\"\"")).isPresent()
          ? lines
          : 0;
    } catch (IOException | UncheckedIOException e) {
      return 0;
    }
  }

  private static int lineOf(Matcher match) {
    return Integer.parseInt(match.group(1));
  }
}
