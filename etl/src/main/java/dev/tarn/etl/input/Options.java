package dev.tarn.etl.input;

import dev.tarn.cli.Suggestion;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The options of a source or a spine; as in Spark, names don't tell 'a' from 'A'. */
final class Options {

  private final Map<String, String> given = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

  Options(Map<String, String> given) {
    this.given.putAll(given);
  }

  Optional<String> text(String name) {
    return Optional.ofNullable(given.get(name));
  }

  boolean flag(String name, boolean byDefault) {
    Optional<String> text = text(name).map(value -> value.toLowerCase(Locale.ROOT));
    if (text.isPresent() && !text.get().equals("true") && !text.get().equals("false")) {
      throw new InputException("option %s = %s is true or false".formatted(name, text.get()));
    }
    return text.map(Boolean::valueOf).orElse(byDefault);
  }

  /** One ASCII character; empty where the option is the empty text. */
  Optional<Character> character(String name, Optional<Character> byDefault) {
    Optional<String> text = text(name).map(value -> value.equals("\\t") ? "\t" : value);
    if (text.isEmpty()) {
      return byDefault;
    }
    if (text.get().isEmpty()) {
      return Optional.empty();
    }
    char c = text.get().charAt(0);
    if (text.get().length() != 1 || c > 127 || c == '\n' || c == '\r') {
      throw new InputException(
          "option %s = %s must be one character of ASCII".formatted(name, text.get()));
    }
    return Optional.of(c);
  }

  Charset encoding() {
    String name = text("encoding").or(() -> text("charset")).orElse("UTF-8");
    try {
      return Charset.forName(name);
    } catch (IllegalArgumentException e) {
      throw new InputException(
          "option encoding = %s: there is no such encoding, e.g. UTF-8, ISO-8859-1, windows-1252"
              .formatted(name),
          e);
    }
  }

  boolean isUtf8() {
    return encoding().equals(StandardCharsets.UTF_8);
  }

  /** Refuses an option that would be passed over. */
  void refuseOthersThan(List<String> known) {
    for (String name : given.keySet()) {
      if (!name.startsWith(InputFiles.FILE_SYSTEM)
          && known.stream().noneMatch(name::equalsIgnoreCase)) {
        throw new InputException(
            "there is no option '%s' here%s".formatted(name, Suggestion.forName(name, known)));
      }
    }
    Optional<String> mode = text("mode");
    if (mode.isPresent() && !mode.get().equalsIgnoreCase("FAILFAST")) {
      throw new InputException(
          "option mode = %s would lose or change what can't be read; there is FAILFAST alone"
              .formatted(mode.get()));
    }
  }
}
