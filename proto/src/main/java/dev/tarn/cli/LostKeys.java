package dev.tarn.cli;

import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Finds the values of a HOCON file, and of the files that it includes, that others of them replace
 * because one key continues the other: of {@code lake = a} and {@code lake.type = b} HOCON keeps
 * the last one alone, and the parsed file tells nothing of it. Where keys are flat, as those of
 * Spark and Hadoop, both are meant.
 *
 * <p>It reads keys only. What it does not understand it passes over, as the parser then has refused
 * the file already.
 */
public final class LostKeys {

  /**
   * A key that has a value and is continued by another one.
   *
   * @param section the parts before the flat key, e.g. {@code tarn.spark}
   * @param key the shorter one, below the section
   * @param place where it is
   * @param longer the one that continues it
   */
  public record LostKey(
      String section, String key, Place place, String longer, Place placeOfLonger) {

    /** Says what is wrong, and what to write instead. */
    public String problem() {
      String quoted = key.contains(".") ? key : longer;
      String other =
          placeOfLonger.file().equals(place.file())
              ? "line " + placeOfLonger.line()
              : "%s:%d".formatted(placeOfLonger.file(), placeOfLonger.line());
      return "'%s' has a value, and so has '%s' (%s); HOCON keeps only the last of the two, so write one in quotes, below '%s': \"%s\" = …"
          .formatted(key, longer, other, section, quoted);
    }
  }

  /** A line of a file, or of one that it includes. */
  public record Place(Path file, int line) {}

  private static final Pattern INCLUDE =
      Pattern.compile(
          "include\\s+(?:required\\(\\s*)?(file\\(\\s*)?\"([^\"\\\\]+)\".*", Pattern.DOTALL);

  private final Path file;
  private final String text;
  private final Map<List<String>, Place> values;
  private int at;

  private LostKeys(Path file, Map<List<String>, Place> values) throws IOException {
    this.file = file;
    this.text = Files.readString(file);
    this.values = values;
  }

  /**
   * Finds them.
   *
   * @param file one that has been parsed, so that no file includes itself
   * @param section number of the leading parts of a path below which keys are flat; 0 where none
   *     are
   */
  public static List<LostKey> of(Path file, ToIntFunction<List<String>> section)
      throws IOException {
    Map<List<String>, Place> values = new LinkedHashMap<>();
    new LostKeys(file, values).document(List.of());
    List<LostKey> lost = new ArrayList<>();
    for (Map.Entry<List<String>, Place> one : values.entrySet()) {
      for (Map.Entry<List<String>, Place> other : values.entrySet()) {
        List<String> key = one.getKey();
        List<String> longer = other.getKey();
        int flat = section.applyAsInt(key);
        if (flat > 0
            && key.size() > flat
            && longer.size() > key.size()
            && longer.subList(0, key.size()).equals(key)) {
          lost.add(
              new LostKey(
                  String.join(".", key.subList(0, flat)),
                  String.join(".", key.subList(flat, key.size())),
                  one.getValue(),
                  String.join(".", longer.subList(flat, longer.size())),
                  other.getValue()));
        }
      }
    }
    return lost;
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
    if (is('+')) {
      at++;
    }
    if (is('=') || is(':')) {
      at++;
    } else if (!is('{')) {
      include(path, key);
      at += at < text.length() && !is('}') ? 1 : 0;
      return;
    }
    List<String> whole = new ArrayList<>(path);
    try {
      whole.addAll(ConfigUtil.splitPath(key));
    } catch (ConfigException e) {
      whole.add(key);
    }
    value(whole, line);
  }

  /** Reads the files that an include names, if it is one and they are files. */
  private void include(List<String> path, String text) throws IOException {
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
    for (Path one : included) {
      if (Files.isRegularFile(one)) {
        Utf8File.require(one);
        new LostKeys(one, values).document(path);
      }
    }
  }

  private void value(List<String> path, int line) throws IOException {
    skipSpace();
    boolean isObject = false;
    while (at < text.length() && "\n,}".indexOf(text.charAt(at)) < 0) {
      if (is('{')) {
        isObject = true;
        at++;
        object(path);
      } else {
        skipOne();
      }
    }
    if (!isObject) {
      values.putIfAbsent(path, new Place(file, line));
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
          object(List.of("a list has no path"));
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
