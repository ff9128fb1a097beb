package dev.tarn.etl.archive;

import com.typesafe.config.Config;
import dev.tarn.cli.Hocon;
import dev.tarn.cli.UsageException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The settings below {@code kafka}, which Kafka's clients get as they are.
 *
 * @param properties by Kafka's names
 */
public record KafkaSettings(Map<String, String> properties) {

  private static final String SERVERS = "bootstrap.servers";

  /** What jobs must decide themselves, so that no message is passed over or read in another way. */
  private static final Set<String> OWN =
      Set.of(
          "auto.offset.reset",
          "enable.auto.commit",
          "group.id",
          "interceptor.classes",
          "key.deserializer",
          "key.serializer",
          "value.deserializer",
          "value.serializer");

  /**
   * Reads them.
   *
   * @throws UsageException if one is not the user's to set
   */
  public static KafkaSettings of(Config tarn) {
    Map<String, String> properties = new TreeMap<>();
    Hocon.flat(tarn.getConfig("kafka"))
        .forEach((name, value) -> properties.put(name, Hocon.text(value)));
    for (String name : properties.keySet()) {
      if (OWN.contains(name)) {
        throw new UsageException(
            "settings: kafka.%s is not yours to set: each offset is read once, whatever it says; take it out"
                .formatted(name));
      }
    }
    return new KafkaSettings(properties);
  }

  /** The brokers, for messages. */
  public String servers() {
    return properties.getOrDefault(SERVERS, "");
  }

  /** Whether messages of transactions count that were not committed. */
  public boolean readsUncommitted() {
    return properties.getOrDefault("isolation.level", "").equals("read_uncommitted");
  }

  /** The settings as options of Spark's source. */
  Map<String, String> sparkOptions() {
    Map<String, String> options = new TreeMap<>();
    properties.forEach((name, value) -> options.put("kafka." + name, value));
    return options;
  }
}
