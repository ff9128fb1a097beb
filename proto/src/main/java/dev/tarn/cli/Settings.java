package dev.tarn.cli;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigOrigin;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigResolveOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * The settings of one run: those typed, over those of conf/tarn.conf (or the file that {@code
 * TARN_CONF} names), over the defaults of reference.conf. All of them are below {@code tarn};
 * reference.conf has every default and its meaning.
 */
public final class Settings {

  /**
   * Sections that are passed on as they are, to Iceberg's catalog, to Kafka's clients and to Spark,
   * so that any key is allowed.
   */
  private static final List<String> OPEN = List.of("catalog", "kafka", "spark");

  /** The keys of Kafka whose values are secret. */
  private static final Pattern KAFKA_SECRET =
      Pattern.compile("(.*\\.)?(password|secret|sasl\\.jaas\\.config|ssl\\.keystore\\.key)");

  private static final Config REFERENCE = ConfigFactory.parseResources("reference.conf");

  private final Config tarn;

  private Settings(Config tarn) {
    this.tarn = tarn;
  }

  /**
   * Reads the settings of a command.
   *
   * @throws UsageException if conf/tarn.conf does not parse or has a setting that does not exist
   */
  public static Settings load(CommandLine line) {
    return load(line.settings());
  }

  /**
   * Reads the settings with overrides that begin with {@code tarn.}; see {@link
   * #load(CommandLine)}.
   */
  public static Settings load(Config overrides) {
    return load(overrides, confFile());
  }

  static Settings load(Config overrides, Optional<Path> confFile) {
    confFile.ifPresent(Utf8File::require);
    try {
      Config file =
          confFile
              .map(path -> ConfigFactory.parseFile(path.toFile(), strict()))
              .orElse(ConfigFactory.empty());
      confFile.ifPresent(Settings::refuseLostKeys);
      refuseUnknown(file);
      refuseWrittenSecrets(file);
      Config given = overrides.withFallback(file);
      // The default catalog's address means nothing to a catalog of another type.
      Config defaults =
          given.hasPath("tarn.catalog.type") ? REFERENCE.withoutPath("tarn.catalog") : REFERENCE;
      Config config = given.withFallback(defaults).resolve();
      return new Settings(flat(config, overrides.resolveWith(config)).getConfig("tarn"));
    } catch (ConfigException e) {
      throw new UsageException("settings: " + e.getMessage(), e);
    }
  }

  /** Tarn's own folder, where its embedded defaults live. */
  public Path home() {
    return Path.of(tarn.getString("home")).toAbsolutePath().normalize();
  }

  /** Folder in which the embedded defaults keep their data. */
  public Path state() {
    return Path.of(tarn.getString("state")).toAbsolutePath().normalize();
  }

  /** A file for the result of a job; empty if the standard output is enough. */
  public Optional<Path> resultFile() {
    return Optional.of(tarn.getString("result-file"))
        .filter(file -> !file.isEmpty())
        .map(file -> Path.of(file).toAbsolutePath());
  }

  /**
   * Reads one section into a record, so that nothing behind it sees {@code Config}.
   *
   * @throws UsageException if a value there is not of its type, with file and line
   */
  public <T> T read(Function<Config, T> section) {
    try {
      return section.apply(tarn);
    } catch (ConfigException | IllegalArgumentException e) {
      throw new UsageException("settings: " + e.getMessage(), e);
    }
  }

  /** Refuses a password on a command line: everybody who may list processes would see it. */
  static void refusePassword(String name, String value) {
    if (name.equals("redis.password") && !value.isEmpty()) {
      throw new UsageException(
          "redis.password is not for the command line, where others can see it: export TARN_REDIS_PASSWORD");
    }
    if (name.startsWith("kafka.") && isKafkaSecret(name.substring("kafka.".length()))) {
      throw new UsageException(
          "%s is not for the command line, where others can see it: %s"
              .formatted(name, kafkaRemedy(name)));
    }
  }

  /** Refuses a secret of Kafka whose value stands in the file: files are copied and shown. */
  private static void refuseWrittenSecrets(Config file) {
    Config written =
        file.resolve(
            ConfigResolveOptions.defaults()
                .setUseSystemEnvironment(false)
                .setAllowUnresolved(true));
    if (!(written.root().get("tarn") instanceof ConfigObject tarn)
        || !(tarn.get("kafka") instanceof ConfigObject kafka)) {
      return;
    }
    secrets("", kafka)
        .forEach(
            (name, value) -> {
              throw new UsageException(
                  "%s:%d: kafka.%s is a secret, and does not belong into a file: %s"
                      .formatted(
                          value.origin().filename(),
                          value.origin().lineNumber(),
                          name,
                          kafkaRemedy("kafka." + name)));
            });
  }

  /** The secrets that have a value without the environment. */
  private static Map<String, ConfigValue> secrets(String prefix, ConfigObject object) {
    Map<String, ConfigValue> secrets = new TreeMap<>();
    for (Map.Entry<String, ConfigValue> entry : object.entrySet()) {
      String name = prefix + entry.getKey();
      if (entry.getValue() instanceof ConfigObject inner) {
        secrets.putAll(secrets(name + ".", inner));
      } else if (isKafkaSecret(name) && isWritten(entry.getValue())) {
        secrets.put(name, entry.getValue());
      }
    }
    return secrets;
  }

  private static boolean isWritten(ConfigValue value) {
    try {
      return !String.valueOf(value.unwrapped()).isEmpty();
    } catch (ConfigException.NotResolved e) {
      return false;
    }
  }

  private static boolean isKafkaSecret(String name) {
    return KAFKA_SECRET.matcher(name).matches();
  }

  private static String kafkaRemedy(String name) {
    return name.equals("kafka.sasl.jaas.config")
        ? "export TARN_KAFKA_JAAS_CONFIG"
        : "write %s = ${NAME}, and export NAME".formatted(name);
  }

  static boolean isKnown(String name) {
    String first = name.contains(".") ? name.substring(0, name.indexOf('.')) : name;
    return (OPEN.contains(first) && name.length() > first.length() + 1) || names().contains(name);
  }

  /** The path of a setting by its name: what stands below an open section is one flat key. */
  static String path(String name) {
    int dot = name.indexOf('.');
    return "tarn."
        + (dot > 0 && OPEN.contains(name.substring(0, dot))
            ? name.substring(0, dot) + "." + ConfigUtil.quoteString(name.substring(dot + 1))
            : name);
  }

  /**
   * The same settings, where each key of an open section is flat.
   *
   * @param typed what wins, however it is nested
   */
  private static Config flat(Config config, Config typed) {
    Config flat = config;
    for (String section : OPEN) {
      String path = "tarn." + section;
      Map<String, ConfigValue> values = Hocon.flat(config.getConfig(path));
      if (typed.hasPath(path)) {
        values.putAll(Hocon.flat(typed.getConfig(path)));
      }
      flat = flat.withValue(path, ConfigFactory.empty().root());
      for (Map.Entry<String, ConfigValue> value : values.entrySet()) {
        flat = flat.withValue(path(section + "." + value.getKey()), value.getValue());
      }
    }
    return flat;
  }

  private static void refuseLostKeys(Path file) {
    try {
      List<LostKeys.Loss> lost =
          LostKeys.of(
              file,
              path ->
                  path.size() > 2 && path.get(0).equals("tarn") && OPEN.contains(path.get(1))
                      ? 2
                      : 0);
      if (!lost.isEmpty()) {
        throw new UsageException(
            "%s:%d: %s"
                .formatted(
                    lost.get(0).place().file(), lost.get(0).place().line(), lost.get(0).problem()));
      }
    } catch (IOException e) {
      throw new UsageException("settings: %s can't be read: %s".formatted(file, e), e);
    }
  }

  static List<String> names() {
    return REFERENCE.getConfig("tarn").root().entrySet().stream()
        .flatMap(entry -> namesOf(entry.getKey(), entry.getValue()).stream())
        .filter(name -> OPEN.stream().noneMatch(open -> name.startsWith(open + ".")))
        .sorted()
        .toList();
  }

  private static List<String> namesOf(String path, ConfigValue value) {
    if (value instanceof ConfigObject object) {
      return object.entrySet().stream()
          .flatMap(entry -> namesOf(path + "." + entry.getKey(), entry.getValue()).stream())
          .toList();
    }
    return List.of(path);
  }

  /**
   * Refuses settings that do not exist. It compares trees and not leaves, so that it finds an empty
   * section with a misspelt name.
   */
  private static void refuseUnknown(Config file) {
    Config resolved = file.resolveWith(file.withFallback(REFERENCE));
    for (Map.Entry<String, ConfigValue> entry : resolved.root().entrySet()) {
      if (entry.getKey().equals("tarn") && entry.getValue() instanceof ConfigObject tarn) {
        tarn.forEach(Settings::refuseUnknown);
      } else {
        throw unknown(entry.getKey(), entry.getValue(), "; all settings stand below tarn { … }");
      }
    }
  }

  private static void refuseUnknown(String name, ConfigValue value) {
    boolean isSection =
        OPEN.contains(name) || names().stream().anyMatch(known -> known.startsWith(name + "."));
    if (isSection && value instanceof ConfigObject section) {
      section.forEach((key, inner) -> refuseUnknown(name + "." + key, inner));
    } else if (!isKnown(name)) {
      throw unknown("tarn." + name, value, Suggestion.forName(name, names()));
    }
  }

  private static UsageException unknown(String path, ConfigValue value, String hint) {
    ConfigOrigin origin = value.origin();
    return new UsageException(
        "%s:%d: there is no setting '%s'%s"
            .formatted(
                origin.filename() == null ? origin.description() : origin.filename(),
                origin.lineNumber(),
                path,
                hint));
  }

  private static Optional<Path> confFile() {
    String named = System.getenv("TARN_CONF");
    if (named != null && !named.isEmpty()) {
      if (!Files.isRegularFile(Path.of(named))) {
        throw new UsageException("TARN_CONF names %s, which is not a file".formatted(named));
      }
      return Optional.of(Path.of(named));
    }
    Config home = REFERENCE.withOnlyPath("tarn.home").resolve();
    Path byDefault = Path.of(home.getString("tarn.home"), "conf", "tarn.conf");
    return Optional.of(byDefault).filter(Files::isRegularFile);
  }

  private static ConfigParseOptions strict() {
    return ConfigParseOptions.defaults().setAllowMissing(false);
  }
}
