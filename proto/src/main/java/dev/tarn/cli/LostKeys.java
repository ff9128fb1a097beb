package dev.tarn.cli;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds what is lost of a HOCON file, and of the files that it includes, without a word of HOCON:
 *
 * <ul>
 *   <li>a value that another one replaces because its key continues the first one's, as {@code lake
 *       = a} and {@code lake.type = b}; where keys are flat, as those of Spark and Hadoop, both are
 *       meant;
 *   <li>a value whose key has another one further down in the same file, unless that one refers to
 *       something, as in {@code port = 1, port = ${?PORT}}, or adds to it;
 *   <li>a file to include that is not there.
 * </ul>
 *
 * <p>It reads keys only. What it does not understand it passes over, as the parser then has refused
 * the file already.
 */
public final class LostKeys {

  /**
   * Something that is lost.
   *
   * @param problem what is wrong, and what to write instead
   */
  public record Loss(Place place, String problem) {}

  /** A line of a file, or of one that it includes. */
  public record Place(Path file, int line) {}

  /** Begins the path of what stands in a list. */
  private static final String LIST = "a list has no path";

  private static final Pattern INCLUDE =
      Pattern.compile(
          "include\\s+(?:required\\(\\s*)?(file\\(\\s*)?\"([^\"\\\\]+)\".*", Pattern.DOTALL);

  private final Path file;
  private final String text;
  private final Map<List<String>, Place> values;
  private final List<Loss> losses;

  /** The lines of this file's own values. */
  private final Map<List<String>, Integer> lines = new HashMap<>();

  private int at;

  private LostKeys(Path file, String text, Map<List<String>, Place> values, List<Loss> losses) {
    this.file = file;
    this.text = text;
    this.values = values;
    this.losses = losses;
  }

  /**
   * Finds them.
   *
   * @param file one that has been parsed, so that no file includes itself
   * @param section number of the leading parts of a path below which keys are flat; 0 where none
   *     are
   */
  public static List<Loss> of(Path file, ToIntFunction<List<String>> section) throws IOException {
    return of(file, Files.readString(file), section);
  }

  /** Finds them in a text, as on a command line, that has been parsed and has no flat keys. */
  public static List<Loss> of(String text) throws IOException {
    return of(Path.of(""), text, path -> 0);
  }

  private static List<Loss> of(Path file, String text, ToIntFunction<List<String>> section)
      throws IOException {
    Map<List<String>, Place> values = new LinkedHashMap<>();
    List<Loss> losses = new ArrayList<>();
    new LostKeys(file, text, values, losses).document(List.of());
    for (Map.Entry<List<String>, Place> one : values.entrySet()) {
      for (Map.Entry<List<String>, Place> other : values.entrySet()) {
        List<String> key = one.getKey();
        List<String> longer = other.getKey();
        int flat = section.applyAsInt(key);
        if (flat > 0
            && key.size() > flat
            && longer.size() > key.size()
            && longer.subList(0, key.size()).equals(key)) {
          losses.add(
              continued(
                  String.join(".", key.subList(0, flat)),
                  String.join(".", key.subList(flat, key.size())),
                  one.getValue(),
                  String.join(".", longer.subList(flat, longer.size())),
                  other.getValue()));
        }
      }
    }
    return losses;
  }

  private static Loss continued(
      String section, String key, Place place, String longer, Place placeOfLonger) {
    String quoted = key.contains(".") ? key : longer;
    String other =
        placeOfLonger.file().equals(place.file())
            ? "line " + placeOfLonger.line()
            : "%s:%d".formatted(placeOfLonger.file(), placeOfLonger.line());
    return new Loss(
        place,
        "'%s' has a value, and so has '%s' (%s); HOCON keeps only the last of the two, so write one in quotes, below '%s': \"%s\" = …"
            .formatted(key, longer, other, section, quoted));
  }

  private void document(List<String> path) throws IOException {
    skipSpace();
    if (is('{')) {
      at++;
    }
    object(path);
  }

  private void object(List<String> path) throws IOException {
    while (true) {
      skipSpace();
      if (at >= text.length()) {
        return;
      }
      if (is('}')) {
        at++;
        return;
      }
      if (is(',')) {
        at++;
        continue;
      }
      field(path);
    }
  }

  private void field(List<String> path) throws IOException {
    int line = line();
    int start = at;
    while (at < text.length() && "=:{}\n,+".indexOf(text.charAt(at)) < 0) {
      skipOne();
    }
    String key = text.substring(start, at).strip();
    boolean adds = is('+');
    if (adds) {
      at++;
    }
    if (is('=') || is(':')) {
      at++;
    } else if (!is('{')) {
      include(path, key, line);
      at += at < text.length() && !is('}') ? 1 : 0;
      return;
    }
    List<String> whole = new ArrayList<>(path);
    try {
      whole.addAll(ConfigUtil.splitPath(key));
    } catch (ConfigException e) {
      whole.add(key);
    }
    value(whole, line, adds);
  }

  /** Reads the files that an include names, if it is one and they are files. */
  private void include(List<String> path, String text, int line) throws IOException {
    Matcher include = INCLUDE.matcher(text);
    if (!include.matches()) {
      return;
    }
    String name = include.group(2);
    // As the parser has it: by file(…) from where the program runs, else beside this file.
    Path named = include.group(1) == null ? file.resolveSibling(name) : Path.of(name);
    List<Path> included =
        name.endsWith(".conf") || name.endsWith(".json")
            ? List.of(named)
            : Stream.of(".conf", ".json").map(end -> Path.of(named + end)).toList();
    boolean isThere = LostKeys.class.getClassLoader().getResource(name) != null;
    for (Path one : included) {
      if (Files.isRegularFile(one)) {
        isThere = true;
        Utf8File.require(one);
        new LostKeys(one, Files.readString(one), values, losses).document(path);
      }
    }
    if (!isThere) {
      losses.add(
          new Loss(
              new Place(file, line),
              "include \"%s\": there is no file %s".formatted(name, included.get(0))));
    }
  }

  private void value(List<String> path, int line, boolean adds) throws IOException {
    skipSpace();
    boolean isObject = false;
    boolean refers = adds;
    while (at < text.length() && "\n,}".indexOf(text.charAt(at)) < 0) {
      if (is('{')) {
        isObject = true;
        at++;
        object(path);
      } else {
        refers |= text.startsWith("${", at);
        skipOne();
      }
    }
    if (isObject) {
      return;
    }
    values.putIfAbsent(path, new Place(file, line));
    Integer before = lines.put(path, line);
    if (before != null && !refers) {
      String key = String.join(".", path.get(0).equals(LIST) ? path.subList(2, path.size()) : path);
      losses.add(
          new Loss(
              new Place(file, line),
              "'%s' has a value already (line %d), and HOCON keeps only the last of the two: take one of them out"
                  .formatted(key, before)));
    }
  }

  /**
   * Skips one token of a value or a key: a text, a list, a substitution, a comment, a character.
   */
  private void skipOne() throws IOException {
    if (text.startsWith("\"\"\"", at)) {
      int end = text.indexOf("\"\"\"", at + 3);
      at = end < 0 ? text.length() : end + 3;
      while (is('"')) {
        at++;
      }
    } else if (is('"')) {
      at++;
      while (at < text.length() && !is('"')) {
        at += is('\\') ? 2 : 1;
      }
      at++;
    } else if (is('[') || text.startsWith("${", at)) {
      char end = is('[') ? ']' : '}';
      at += is('[') ? 1 : 2;
      while (at < text.length() && !is(end)) {
        if (is('{')) {
          at++;
          object(List.of(LIST, Integer.toString(at)));
        } else {
          skipOne();
        }
      }
      at++;
    } else if (isComment()) {
      skipLine();
    } else {
      at++;
    }
    at = Math.min(at, text.length());
  }

  private void skipSpace() {
    while (at < text.length() && (Character.isWhitespace(text.charAt(at)) || isComment())) {
      if (isComment()) {
        skipLine();
      } else {
        at++;
      }
    }
  }

  private void skipLine() {
    int end = text.indexOf('\n', at);
    at = end < 0 ? text.length() : end;
  }

  private boolean isComment() {
    return is('#') || text.startsWith("//", at);
  }

  private boolean is(char c) {
    return at < text.length() && text.charAt(at) == c;
  }

  private int line() {
    return 1 + (int) text.substring(0, at).chars().filter(c -> c == '\n').count();
  }
}
