package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.etl.archive.EventStream;
import dev.tarn.etl.archive.Topics;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.kafka.KafkaBroker;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import org.apache.iceberg.Snapshot;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The command {@code archive} as users run it: killed, and ended. {@link CommandsIT} runs it in a
 * stock Spark.
 */
@Tag("slow")
class ArchiveIT {

  private static final String KEYS =
      "value = json, timestamp = at, schema = \"user_id BIGINT, at TIMESTAMP\"";
  private static final int KILLS = 4;
  private static final int LONGEST_DELAY_MILLIS = 2_500;
  private static final Duration PATIENCE = Duration.ofMinutes(3);

  private static KafkaBroker broker;
  private static Topics topics;

  @BeforeAll
  static void startKafka() {
    broker = KafkaBroker.start();
    topics = new Topics(broker);
  }

  @AfterAll
  static void stopKafka() {
    topics.close();
    broker.close();
  }

  @Test
  void whateverIsKilledEachOffsetIsThereOnce() throws Exception {
    EventStream stream = stream("killed", 3);
    AtomicBoolean isOver = new AtomicBoolean();
    CompletableFuture<Map<Integer, Long>> producer =
        CompletableFuture.supplyAsync(() -> produce(isOver));
    Random random = new Random(20260101);
    try {
      for (int kill = 1; kill <= KILLS; kill++) {
        long before = snapshot(stream);
        // Small rounds, so that a kill meets any step of one.
        Process run = start(stream, "every=1s", "archive.max-messages=50");
        await().atMost(PATIENCE).until(() -> !run.isAlive() || snapshot(stream) != before);
        assertThat(run.waitFor(random.nextInt(LONGEST_DELAY_MILLIS), TimeUnit.MILLISECONDS))
            .as(() -> log(stream))
            .isFalse();
        run.destroyForcibly().waitFor();
      }
    } finally {
      isOver.set(true);
    }
    Map<Integer, Long> ends = producer.get();

    int status = stream.bench().run(words("killed", "format=json"));

    assertThat(status).as(stream.bench().output()).isZero();
    List<String> expected = new ArrayList<>();
    ends.forEach(
        (partition, end) ->
            LongStream.range(0, end).forEach(offset -> expected.add(partition + " " + offset)));
    List<String> found = new ArrayList<>(stream.events("kafka_partition", "kafka_offset"));
    found.addAll(stream.beside("kafka_partition", "kafka_offset"));
    assertThat(found).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(Cut.parse(stream.summary().get(EventTable.CUT)).offsets()).isEqualTo(ends);
    assertThat(stream.table().refs().all()).containsOnlyKeys("main");
    status = stream.bench().run(words("killed", "check=true"));
    assertThat(stream.bench().output())
        .contains("tarn.events.killed has each offset before its cut (");
    assertThat(status).isZero();
  }

  /** Sends until it is over; one message in fifty is no event. Gives the ends of the partitions. */
  private static Map<Integer, Long> produce(AtomicBoolean isOver) {
    Map<Integer, Long> ends = new TreeMap<>();
    for (int i = 0; !isOver.get(); i++) {
      int partition = i % 3;
      topics.send("killed", partition, i % 50 == 7 ? "bad" : event(i));
      ends.merge(partition, 1L, Long::sum);
    }
    return ends;
  }

  @Test
  void aRunThatIsToEndEndsBetweenRounds() throws Exception {
    EventStream stream = stream("ended", 1);
    topics.send("ended", 0, event(1), event(2));
    Process run = start(stream, "every=10m", "format=json");
    await().atMost(PATIENCE).until(() -> !run.isAlive() || snapshot(stream) != 0);
    run.destroy();
    assertThat(run.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    assertThat(run.exitValue()).as(() -> log(stream)).isZero();
    String result = log(stream).lines().filter(line -> line.startsWith("{")).findFirst().orElse("");
    JsonObject json = JsonParser.parseString(result).getAsJsonObject();
    assertThat(json.get("events").getAsLong()).isEqualTo(2);
    assertThat(json.get("cut")).hasToString("{\"0\":2}");
    assertThat(json.get("snapshot_id").getAsLong()).isEqualTo(snapshot(stream));
  }

  private static EventStream stream(String name, int partitions) {
    topics.create(name, partitions);
    return new EventStream(broker, name, KEYS);
  }

  private static String[] words(String source, String... more) {
    List<String> words = new ArrayList<>(List.of("archive", "source=" + source));
    words.addAll(List.of(more));
    return words.toArray(new String[0]);
  }

  private static Process start(EventStream stream, String... more) throws IOException {
    return Shell.process(Shell.tarn(stream.bench(), words(stream.name(), more)))
        .redirectOutput(
            ProcessBuilder.Redirect.appendTo(stream.bench().path("archive.log").toFile()))
        .start();
  }

  private static String log(EventStream stream) {
    try {
      return Files.readString(stream.bench().path("archive.log"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  /** That of main; 0: there is none. */
  private static long snapshot(EventStream stream) {
    return EventTable.find(stream.lake().catalog(), stream.source().stream().orElseThrow())
        .flatMap(EventTable::main)
        .map(Snapshot::snapshotId)
        .orElse(0L);
  }

  private static String event(int user) {
    return "{\"user_id\": %d, \"at\": \"2026-01-01T06:00:00Z\"}".formatted(user);
  }
}
