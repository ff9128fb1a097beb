package dev.tarn.cli;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The words typed after {@code ./tarn}: a command, its arguments and, under any other name,
 * settings that override conf/tarn.conf. A value in brackets, braces or quotes is HOCON; any other
 * value is plain text, so that times and host:port need no quotes.
 */
public final class CommandLine {

  private final Command command;
  private final Map<String, ConfigValue> arguments;
  private final Config settings;

  private CommandLine(Command command, Map<String, ConfigValue> arguments, Config settings) {
    this.command = command;
    this.arguments = arguments;
    this.settings = settings;
  }

  /**
   * Reads the words; empty if they asked for help, which has then been printed.
   *
   * @throws UsageException if there is no such command, an argument is missing or a word is not
   *     {@code name=value}
   */
  public static Optional<CommandLine> parse(String... all) {
    String[] words = Stream.of(all).filter(word -> !isHelp(word)).toArray(String[]::new);
    if (words.length == 0) {
      System.out.println(Command.overview());
      return Optional.empty();
    }
    Optional<Command> ofTwoWords =
        words.length > 1 ? Command.of(words[0] + " " + words[1]) : Optional.empty();
    Command command =
        ofTwoWords
            .or(() -> Command.of(words[0]))
            .orElseThrow(
                () ->
                    new UsageException(
                        "there is no command '%s'%s\n\n%s"
                            .formatted(
                                words[0],
                                Suggestion.forName(words[0], Command.words()),
                                Command.overview())));
    if (words.length < all.length) {
      System.out.println(command.help());
      return Optional.empty();
    }
    Map<String, ConfigValue> arguments = new LinkedHashMap<>();
    Config settings = ConfigFactory.empty();
    List<String> names = command.arguments().stream().map(Command.Argument::name).toList();
    for (String word : List.of(words).subList(ofTwoWords.isPresent() ? 2 : 1, words.length)) {
      int equals = word.indexOf('=');
      if (equals < 1) {
        throw new UsageException("'%s' is not name=value\n\n%s".formatted(word, command.help()));
      }
      String name = word.substring(0, equals);
      Settings.refusePassword(name, word.substring(equals + 1));
      ConfigValue value = parseValue(name, word.substring(equals + 1));
      if (command.argument(name).isPresent()) {
        arguments.put(name, value);
      } else if (Settings.isKnown(name)) {
        settings = settings.withValue(Settings.path(name), value);
      } else {
        List<String> known = new ArrayList<>(names);
        known.addAll(Settings.names());
        String meant = Suggestion.forName(name, known);
        throw new UsageException(
            "'%s' takes no '%s', and there is no such setting%s"
                    .formatted(
                        command.word(), name, meant.startsWith("; did you mean") ? meant : "")
                + "\n\n"
                + command.help());
      }
    }
    for (Command.Argument argument : command.arguments()) {
      if (argument.isRequired() && !arguments.containsKey(argument.name())) {
        throw new UsageException(
            "'%s' needs %s=…: %s\n\n%s"
                .formatted(command.word(), argument.name(), argument.help(), command.help()));
      }
    }
    return Optional.of(new CommandLine(command, arguments, settings));
  }

  public Command command() {
    return command;
  }

  /** The settings that were typed, below {@code tarn}. */
  public Config settings() {
    return settings;
  }

  /** The settings that were typed, to be typed again for another command. */
  public List<String> settingWords() {
    return settings.entrySet().stream()
        .map(
            entry ->
                String.join(".", ConfigUtil.splitPath(entry.getKey())).substring("tarn.".length())
                    + "="
                    + Hocon.text(entry.getValue()))
        .toList();
  }

  public boolean has(String name) {
    return arguments.containsKey(name);
  }

  /** A required argument, or one that {@link #has} says is there. */
  public String text(String name) {
    return optional(name)
        .orElseThrow(() -> new UsageException("%s needs %s=…".formatted(command.word(), name)));
  }

  public Optional<String> optional(String name) {
    return Optional.ofNullable(arguments.get(name)).map(Hocon::text);
  }

  /** The arguments {@code NAME.VIEW=…}, by view. */
  public Map<String, String> byView(String name) {
    Map<String, String> byView = new TreeMap<>();
    arguments.forEach(
        (key, value) -> {
          if (key.startsWith(name + ".")) {
            byView.put(key.substring(name.length() + 1), Hocon.text(value));
          }
        });
    return byView;
  }

  /** Values separated by commas, or a HOCON list. */
  public List<String> list(String name) {
    ConfigValue value = arguments.get(name);
    if (value == null) {
      return List.of();
    }
    if (value instanceof ConfigList list) {
      return list.stream().map(element -> text(name, element)).toList();
    }
    return List.of(Hocon.text(value).split(",", -1));
  }

  private static String text(String name, ConfigValue element) {
    if (element.unwrapped() == null) {
      throw new UsageException("%s has a null: leave it out, or write \"null\"".formatted(name));
    }
    return Hocon.text(element);
  }

  /** A whole number of at least {@code least}. */
  public long number(String name, long least, long byDefault) {
    Optional<String> text = optional(name);
    if (text.isEmpty()) {
      return byDefault;
    }
    try {
      long number = Long.parseLong(text.get().replace("_", ""));
      if (number >= least) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Reported below, like a number that is too small.
    }
    throw new UsageException(
        "%s=%s is not a whole number from %d up".formatted(name, text.get(), least));
  }

  /** A length of time with its unit, such as {@code 30d}, {@code 12h} or {@code 0s}. */
  public Duration duration(String name, Duration byDefault) {
    Optional<String> text = optional(name);
    if (text.isEmpty()) {
      return byDefault;
    }
    try {
      Duration duration = ConfigFactory.parseMap(Map.of("v", text.get())).getDuration("v");
      // HOCON reads a bare number as milliseconds, but whoever types 30 means something else.
      boolean hasUnit = !Character.isDigit(text.get().charAt(text.get().length() - 1));
      if (hasUnit && !duration.isNegative()) {
        return duration;
      }
    } catch (ConfigException e) {
      // Reported below, like one that is negative or has no unit.
    }
    throw new UsageException(
        "%s=%s is not a length of time: write 30d, 12h or 0s".formatted(name, text.get()));
  }

  /** Whether {@code format=json} was asked for. */
  public boolean isJson() {
    String format = optional("format").orElse("table");
    if (!format.equals("json") && !format.equals("table")) {
      throw new UsageException("format=%s: there are table and json".formatted(format));
    }
    return format.equals("json");
  }

  /** One of the constants of an enum, typed in lower case. */
  public <E extends Enum<E>> E choice(String name, Class<E> choices, E byDefault) {
    Optional<String> text = optional(name);
    if (text.isEmpty()) {
      return byDefault;
    }
    List<String> words = new ArrayList<>();
    for (E choice : choices.getEnumConstants()) {
      String word = choice.name().toLowerCase(java.util.Locale.ROOT);
      if (word.equals(text.get())) {
        return choice;
      }
      words.add(word);
    }
    throw new UsageException(
        "%s=%s: there are %s".formatted(name, text.get(), String.join(", ", words)));
  }

  /** Whether {@code name=true} was given. */
  public boolean flag(String name) {
    String value = optional(name).orElse("false");
    if (!value.equals("true") && !value.equals("false")) {
      throw new UsageException("%s=%s: it is true or false".formatted(name, value));
    }
    return value.equals("true");
  }

  private static ConfigValue parseValue(String name, String text) {
    if (text.startsWith("[") || text.startsWith("{") || text.startsWith("\"")) {
      try {
        return ConfigFactory.parseString("v = " + text).resolve().getValue("v");
      } catch (ConfigException e) {
        throw new UsageException("%s=%s: %s".formatted(name, text, e.getMessage()), e);
      }
    }
    return ConfigValueFactory.fromAnyRef(text, "command line");
  }

  private static boolean isHelp(String word) {
    return word.equals("help") || word.equals("--help") || word.equals("-h");
  }
}
