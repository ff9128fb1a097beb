package dev.tarn.bench.window;

import dev.tarn.bench.testbed.BenchSettings;
import dev.tarn.bench.testbed.Stopwatch;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.archive.Archive;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import dev.tarn.kafka.KafkaBroker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Archives a topic of a Kafka broker of its own, and lets Spark read the same topic. */
final class WindowArchive implements AutoCloseable {

  private static final String TOPIC = "events";

  private final Lake lake;
  private final Settings settings;
  private final Source source;
  private final KafkaBroker broker;

  private WindowArchive(Lake lake, Settings settings, KafkaBroker broker) {
    this.lake = lake;
    this.settings = settings;
    this.source = Definitions.load(settings).streamSource("stream");
    this.broker = broker;
  }

  /** Says whether the class path of the broker is there. The build of the tests writes it. */
  static boolean hasBroker(Settings settings) {
    return Files.exists(home(settings).resolve("proto/target/kafka-broker.txt"));
  }

  /** Starts a broker with a topic of events. */
  static WindowArchive start(
      Lake lake, Settings given, CommandLine line, Path folder, WindowTables tables) {
    System.setProperty("tarn.home", home(given).toString());
    KafkaBroker broker =
        KafkaBroker.start(Map.of("auto.create.topics.enable", "true", "num.partitions", "4"));
    Settings settings =
        BenchSettings.of(line, folder, 1, Map.of("kafka.bootstrap.servers", broker.address()));
    WindowArchive archive = new WindowArchive(lake, settings, broker);
    tables
        .messages()
        .write()
        .format("kafka")
        .option("kafka.bootstrap.servers", broker.address())
        .option("topic", TOPIC)
        .save();
    return archive;
  }

  /** Measures both. */
  void measure(Stopwatch watch, boolean isWarmUp) {
    var unused = lake.spark().sql("DROP TABLE IF EXISTS %s PURGE".formatted(source.location()));
    watch.take(WindowReport.ARCHIVE, isWarmUp, this::copy);
    watch.take(WindowReport.READ_TOPIC, isWarmUp, this::read);
  }

  private void copy() {
    var unused =
        new Archive(lake, settings, Console.silent(), source, new Archive.Request(false, false))
            .copy();
  }

  private void read() {
    WindowWays.drop(
        lake.spark()
            .read()
            .format("kafka")
            .option("kafka.bootstrap.servers", broker.address())
            .option("subscribe", TOPIC)
            .option("startingOffsets", "earliest")
            .load());
  }

  private static Path home(Settings settings) {
    return Path.of(System.getProperty("tarn.home", settings.home().toString()));
  }

  @Override
  public void close() {
    broker.close();
  }
}
