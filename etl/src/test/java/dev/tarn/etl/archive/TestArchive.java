package dev.tarn.etl.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.kafka.KafkaBroker;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.spark.actions.SparkActions;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class TestArchive {

  private static final String AT = "2026-01-01T06:00:00Z";

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
  void eachMessageIsCopiedOnceWithItsPlace() {
    EventStream stream = stream("once", 3, EventStream.JSON);
    topics.send("once", 0, event(1), event(2));
    topics.send("once", 2, Topics.bytes("k"), Topics.bytes(event(3)), Topics.SENT + 5);

    Archive.Outcome outcome = stream.copy();

    assertThat(outcome.events()).isEqualTo(3);
    assertThat(stream.events("*"))
        .containsExactly(
            "1 2026-01-01T06:00:00Z 0 0 2026-01-01T00:00:00Z",
            "2 2026-01-01T06:00:00Z 0 1 2026-01-01T00:00:00Z",
            "3 2026-01-01T06:00:00Z 2 0 2026-01-01T00:00:00.005Z");
    Cut cut = Cut.parse(stream.summary().get("tarn.cut"));
    assertThat(cut.topic()).isEqualTo("once");
    assertThat(cut.topicId()).isNotEmpty();
    assertThat(cut.offsets()).isEqualTo(Map.of(0, 2L, 1, 0L, 2, 1L));
    assertThat(outcome.cut()).isEqualTo(cut);
    assertThat(stream.summary()).doesNotContainKeys("tarn.undecoded", "tarn.lost");
    PartitionSpec spec = stream.iceberg().spec();
    assertThat(spec.fields()).hasSize(1);
    assertThat(spec.fields().get(0).transform()).hasToString("day");
    assertThat(stream.said())
        .startsWith("once: 3 events in ")
        .contains("cut 0: 2, 1: 0, 2: 1, snapshot " + outcome.snapshotId());
    assertThat(stream.iceberg().refs()).containsOnlyKeys("main");

    // Once more: there is nothing to do.
    Archive.Outcome again = stream.copy();
    assertThat(again.rounds()).isZero();
    assertThat(again.snapshotId()).isEqualTo(outcome.snapshotId());
    assertThat(stream.said()).isEqualTo("once is up to date: 0: 2, 1: 0, 2: 1\n");

    topics.send("once", 1, event(4));
    topics.send("once", 0, event(5));
    assertThat(stream.copy().events()).isEqualTo(2);
    assertThat(stream.events("user_id", "kafka_partition", "kafka_offset"))
        .containsExactly("1 0 0", "2 0 1", "5 0 2", "4 1 0", "3 2 0");
    assertThat(stream.undecoded().find()).isEmpty();
    assertThat(EventTableCheck.of(stream.lake(), stream.source()))
        .isEqualTo("tarn.events.once has each offset before its cut (0: 3, 1: 1, 2: 1) once");
  }

  @Test
  @Tag("slow")
  void anEmptyTopicHasATableWithItsCut() {
    EventStream stream = stream("empty", 2, EventStream.JSON);
    assertThat(stream.copy().events()).isZero();
    assertThat(stream.events("*")).isEmpty();
    assertThat(Cut.parse(stream.summary().get("tarn.cut")).offsets())
        .isEqualTo(Map.of(0, 0L, 1, 0L));
    assertThat(stream.copy().rounds()).isZero();
  }

  @Test
  @Tag("slow")
  void aRoundTakesSoManyMessagesAndTheNextOneGoesOn() {
    EventStream stream = stream("rounds", 2, EventStream.JSON);
    stream.bench().set("archive.max-messages", "10");
    for (int i = 0; i < 30; i++) {
      topics.post("rounds", 0, event(i));
    }
    for (int i = 0; i < 5; i++) {
      topics.post("rounds", 1, event(i));
    }
    topics.flush();
    Archive.Outcome outcome = stream.copy();
    assertThat(outcome.events()).isEqualTo(35);
    assertThat(outcome.rounds()).isBetween(4, 6);
    assertPlaces(stream, Map.of(0, 30L, 1, 5L));
  }

  @Test
  void whatCantBeDecodedGoesToTheTableBesideAndTheCutGoesOn() {
    EventStream stream =
        stream(
            "bad",
            1,
            "value = json, timestamp = at, schema = \"n INT, d DECIMAL(4,2), at TIMESTAMP\"");
    stream.bench().set("archive.max-undecoded", "1");
    String at = "\"at\": \"%s\"".formatted(AT);
    topics.send("bad", 0, "{\"n\": 1, %s}".formatted(at));
    topics.send("bad", 0, Topics.bytes("key"), null, Topics.SENT);
    topics.send("bad", 0, null, new byte[0], Topics.SENT);
    topics.send("bad", 0, null, new byte[] {'{', (byte) 0xff, '}'}, Topics.SENT);
    topics.send(
        "bad",
        0,
        "no JSON",
        "[{\"n\": 1, %s}]".formatted(at),
        "{\"n\": 1, %s} {\"n\": 1, %s}".formatted(at, at),
        "{\"n\": 1}",
        "{\"n\": 1, \"at\": null}",
        "{\"n\": \"one\", %s}".formatted(at),
        "{\"n\": 3000000000, %s}".formatted(at),
        "{\"d\": 1.005, %s}".formatted(at),
        "{\"n\": 1, \"at\": 1767247200000}",
        "{\"n\": 1, \"at\": \"10000-01-01T00:00:00Z\"}",
        "{\"N\": 1, %s}".formatted(at),
        "{\"n\": 2, \"at\": \"9999-12-31T00:00:00Z\"}",
        "{\"n\": 3, %s, \"more\": [1, {}]}".formatted(at));

    Archive.Outcome outcome = stream.copy();

    assertThat(outcome.events()).isEqualTo(3);
    assertThat(outcome.undecoded()).isEqualTo(14);
    assertThat(stream.events("n", "kafka_offset")).containsExactly("1 0", "2 15", "3 16");
    assertThat(stream.beside("kafka_offset", "reason"))
        .containsExactly(
            "1 has no value (a tombstone)",
            "2 is empty",
            "3 is not UTF-8; if its text has another encoding, say so: options { encoding = … }",
            "4 is no JSON: Unrecognized token 'no': was expecting (JSON String, Number (or 'NaN'/'INF'/'+INF'), Array, Object or token 'null', 'true' or 'false')",
            "5 must be an object { … }",
            "6 has more after its object: one message is one event",
            "7 has no 'at'",
            "8 has no 'at'",
            "9 'n' has the text 'one', which is no int",
            "10 'n' has the text '3000000000', which is beyond int",
            "11 'd' has the text '1.005', which has more digits than decimal(4,2) after its point: declare as many as the files have",
            "12 'at' has the text '1767247200000', which is no timestamp; if it counts time since 1970, its source must say so: epoch = milliseconds (or seconds, microseconds)",
            "13 'at' has the text '10000-01-01T00:00:00Z', which is no timestamp; write 2026-11-20T06:00:00Z",
            "14 has the field 'N', and the schema has 'n': write it alike in both");
    assertThat(stream.beside("string(key)", "hex(value)", "topic", "kafka_partition", "arrived_at"))
        .startsWith(
            "key null bad 0 2026-01-01T00:00:00Z",
            "null  bad 0 2026-01-01T00:00:00Z",
            "null 7BFF7D bad 0 2026-01-01T00:00:00Z");
    assertThat(stream.summary()).containsEntry("tarn.undecoded", "14");
    assertThat(stream.said())
        .startsWith("bad: 3 events, 14 messages to tarn.events.bad_undecoded in ");

    // Nothing is read twice.
    topics.send("bad", 0, "no", "{\"n\": 4, %s}".formatted(at));
    assertThat(stream.copy().undecoded()).isEqualTo(1);
    assertThat(stream.beside("kafka_offset")).hasSize(15).endsWith("17");
    assertThat(stream.copy().rounds()).isZero();
    assertThat(EventTableCheck.of(stream.lake(), stream.source()))
        .endsWith(" has each offset before its cut (0: 19) once");
  }

  @Test
  void tooManyMessagesThatCantBeDecodedFailTheRun() {
    EventStream stream = stream("share", 1, EventStream.JSON);
    for (int i = 0; i < 89; i++) {
      topics.post("share", 0, event(i));
    }
    for (int i = 0; i < 11; i++) {
      topics.post("share", 0, "{\"user_id\": " + i + "}");
    }
    topics.flush();
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "source 'share': 11 of 100 messages can't be decoded, and at most 10 %% of them may be (setting archive.max-undecoded). Nothing of this round is published, and tarn.events.share stays as it was. Put the definition or the producer right, or let them go to tarn.events.share_undecoded with archive.max-undecoded=1. The first ones:\n  partition 0, offset 89: the message has no 'at'\n  partition 0, offset 90: the message has no 'at'\n  partition 0, offset 91: the message has no 'at'"
                .replace("%%", "%"));
    assertThat(stream.table().main()).isEmpty();
    assertThat(stream.beside("*")).isEmpty();
    assertThat(stream.iceberg().refs()).isEmpty();

    // With nine good ones more they are few enough.
    topics.send(
        "share", 0, IntStream.range(0, 10).mapToObj(TestArchive::event).toArray(String[]::new));
    assertThat(stream.copy().undecoded()).isEqualTo(11);
    assertPlaces(stream, Map.of(0, 110L), 11);
  }

  @Test
  @Tag("slow")
  void smallRoundsCountTogetherAndGoodOnesGoOn() {
    EventStream stream = stream("small", 1, EventStream.JSON);
    for (int round = 0; round < 19; round++) {
      topics.post("small", 0, event(round));
      topics.post("small", 0, event(round));
      topics.post("small", 0, event(round));
      topics.post("small", 0, event(round));
    }
    topics.send("small", 0, "a", "b", "c", "d");
    assertThat(stream.copy().undecoded()).isEqualTo(4);
    topics.send("small", 0, "e", "f", "g", "h", "i", "j");
    topics.send("small", 0, event(1), event(2), event(3), event(4));
    assertThat(stream.copy().undecoded()).isEqualTo(6);
    topics.send("small", 0, IntStream.range(0, 10).mapToObj(i -> "bad").toArray(String[]::new));
    assertThatThrownBy(stream::copy)
        .hasMessageStartingWith("source 'small': 20 of 100 messages can't be decoded");
    topics.deleteBefore("small", 0, 100);
    topics.send("small", 0, event(1));
    assertThat(stream.archive(true, false).copy().events()).isEqualTo(1);
  }

  @Test
  @Tag("slow")
  void whatADeadRoundHasLeftBesideIsTakenBack() throws Exception {
    EventStream stream = stream("dead", 1, EventStream.JSON);
    topics.send("dead", 0, event(1), "bad");
    stream.copy();
    topics.send("dead", 0, event(2), "worse");
    // The round ends between the two commits.
    Cut from = Cut.parse(stream.summary().get("tarn.cut"));
    Cut to = new Cut(from.topic(), from.topicId(), new TreeMap<>(Map.of(0, 4L)));
    var left =
        stream
            .lake()
            .spark()
            .table("tarn.events.dead_undecoded")
            .selectExpr(
                "key",
                "value",
                "topic",
                "kafka_partition",
                "kafka_offset + 2 AS kafka_offset",
                "arrived_at",
                "reason");
    Optional<Long> main = stream.undecoded().main();
    stream.undecoded().write(main, from, to, Optional.of(left)).publish();
    assertThat(stream.beside("kafka_offset")).containsExactly("1", "3");
    assertThat(EventTableCheck.of(stream.lake(), stream.source())).endsWith("(0: 2) once");

    assertThat(stream.copy().undecoded()).isEqualTo(1);
    assertThat(stream.beside("kafka_offset", "string(value)")).containsExactly("1 bad", "3 worse");

    // By another definition there may be nothing to write there.
    topics.send("dead", 0, event(3));
    Cut next = Cut.parse(stream.summary().get("tarn.cut"));
    Cut beyond = new Cut(from.topic(), from.topicId(), new TreeMap<>(Map.of(0, 5L)));
    stream.undecoded().write(stream.undecoded().main(), next, beyond, Optional.of(left)).publish();
    assertThat(stream.copy().events()).isEqualTo(1);
    assertThat(stream.beside("string(value)")).containsExactly("bad", "worse");
    assertThat(stream.undecoded().find().orElseThrow().refs()).containsOnlyKeys("main");
  }

  @Test
  void lostOffsetsAreNamedAndNeverAGap() {
    EventStream stream = stream("lost", 2, EventStream.JSON);
    topics.send("lost", 0, event(0), event(1), event(2));
    topics.deleteBefore("lost", 0, 1);
    // Nobody has promised what was gone before the first round.
    stream.copy();
    assertThat(stream.events("user_id")).containsExactly("1", "2");
    topics.send("lost", 0, event(3), event(4), event(5));
    topics.send("lost", 1, event(6), event(7));
    topics.deleteBefore("lost", 0, 5);
    topics.deleteBefore("lost", 1, 1);
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "topic 'lost' of source 'lost' has lost 3 offsets before they were archived: partition 0 begins at offset 5, and 3 is the next to archive; partition 1 begins at offset 1, and 0 is the next to archive. Kafka's retention or somebody has deleted them. If they can't be restored, ./tarn archive source=lost skip-lost=true goes on without them, and the snapshot says which ones");
    assertThat(stream.events("user_id")).containsExactly("1", "2");

    Archive.Outcome outcome = stream.archive(true, false).copy();
    assertThat(outcome.lost()).isEqualTo(3);
    assertThat(stream.events("user_id")).containsExactly("1", "2", "5", "7");
    assertThat(stream.summary().get("tarn.lost"))
        .isEqualTo("[{\"partition\":0,\"from\":3,\"to\":5},{\"partition\":1,\"from\":0,\"to\":1}]");
    assertThat(stream.said())
        .contains(
            "without what the topic has lost (partition 0: offsets 3 to 4; partition 1: offsets 0 to 0)");
    assertThat(stream.copy().rounds()).isZero();
  }

  @Test
  void aTopicWithMorePartitionsGoesOn() {
    EventStream stream = stream("grown", 1, EventStream.JSON);
    topics.send("grown", 0, event(1));
    stream.copy();
    topics.grow("grown", 3);
    topics.send("grown", 2, event(2), event(3));
    topics.send("grown", 0, event(4));
    stream.copy();
    assertPlaces(stream, Map.of(0, 2L, 1, 0L, 2, 2L));
  }

  @Test
  @Tag("slow")
  void aTopicThatWasMadeAnewIsAnError() {
    EventStream stream = stream("anew", 1, EventStream.JSON);
    topics.send("anew", 0, event(1));
    stream.copy();
    topics.delete("anew");
    topics.create("anew", 1);
    topics.send("anew", 0, event(1), event(2), event(3));
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessageMatching(
            "topic 'anew' of source 'anew' is not the one that was archived: its id was \\S+ and is \\S+ now\\. It was deleted and made anew, or its broker was restored; its offsets begin again, so archive it to another event table \\(table = …\\)");
    topics.delete("anew");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "there is no topic 'anew' in Kafka at '%s' (settings below 'kafka'): it must be there before it is archived"
                .formatted(broker.address()));
  }

  @Test
  void aBrokerThatIsNotThereIsNamed() {
    EventStream stream = new EventStream(broker, "nowhere", EventStream.JSON);
    stream
        .bench()
        .set("kafka.bootstrap.servers", "127.0.0.1:1")
        .set("kafka.default.api.timeout.ms", "1000")
        .set("kafka.request.timeout.ms", "1000");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "no broker of Kafka at '127.0.0.1:1' (settings below 'kafka') answers: is it running, are host, port and security.protocol right?");
    stream.bench().set("kafka.bootstrap.servers", "no.such.host.invalid:9092");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(
            "can't use Kafka at 'no.such.host.invalid:9092' (settings below 'kafka'): No resolvable bootstrap urls");
    stream.bench().set("kafka.enable.auto.commit", "true");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("settings: kafka.enable.auto.commit is not yours to set");
    stream.bench().define("other.conf", "sources { files { format = parquet, path = x } }");
    assertThatThrownBy(() -> stream.bench().definitions().streamSource("files"))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "source 'files' (features/other.conf:1) is no stream source: it has format = parquet, and events come from format = kafka");
    assertThatThrownBy(() -> stream.bench().definitions().streamSource("nowere"))
        .isInstanceOf(UsageException.class)
        .hasMessage("there is no source 'nowere'; did you mean 'nowhere'?");
  }

  @Test
  @Tag("slow")
  void twoRunsAtOnceCopyEachMessageOnce() throws Exception {
    EventStream stream = stream("twice", 2, EventStream.JSON);
    stream.bench().set("archive.max-messages", "40").set("archive.max-undecoded", "1");
    for (int i = 0; i < 200; i++) {
      topics.post("twice", i % 2, i % 20 == 7 ? "bad" : event(i));
    }
    topics.flush();
    // Each run has a console and settings of its own, as two processes have.
    CompletableFuture<Archive.Outcome> one =
        CompletableFuture.supplyAsync(() -> stream.archive(false, false).copy());
    CompletableFuture<Archive.Outcome> other =
        CompletableFuture.supplyAsync(() -> stream.archive(false, false).copy());
    one.get();
    other.get();
    assertPlaces(stream, Map.of(0, 100L, 1, 100L), 10);
    assertThat(one.get().events() + other.get().events()).as(stream::said).isEqualTo(190);
    assertThat(one.get().undecoded() + other.get().undecoded()).isEqualTo(10);
    assertThat(stream.iceberg().refs()).containsOnlyKeys("main");
  }

  @Test
  @Tag("slow")
  void whatSomebodyElseDidToTheTableIsNamed() {
    EventStream stream = stream("hand", 1, EventStream.JSON);
    topics.send("hand", 0, event(0), event(1), event(2), event(3));
    Archive.Outcome outcome = stream.copy();
    stream
        .lake()
        .spark()
        .sql("INSERT INTO tarn.events.hand SELECT * FROM tarn.events.hand WHERE kafka_offset = 1");
    stream.lake().spark().sql("DELETE FROM tarn.events.hand WHERE kafka_offset = 2");
    topics.send("hand", 0, event(4));
    String problem = "something else than archiving has changed the event table tarn.events.hand: ";
    assertThatThrownBy(stream::copy)
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith(problem)
        .hasMessageContaining(
            "\n  1 offset is there more than once: partition 0, offset 1 (2 rows)\n  1 gap: partition 0, offsets 2 to 2 (a topic that is compacted or has transactions has gaps of its own)\nTake that back, e.g. CALL tarn.system.rollback_to_snapshot('events.hand', %d), or keep it: ./tarn archive source=hand accept=true"
                .formatted(outcome.snapshotId()));
    assertThatThrownBy(() -> EventTableCheck.of(stream.lake(), stream.source()))
        .hasMessageStartingWith(problem);

    stream.said();
    assertThat(stream.archive(false, true).copy().events()).isEqualTo(1);
    assertThat(stream.said())
        .startsWith(problem)
        .contains("accept=true; accepted\nhand: 1 event in ");
    assertThat(stream.events("kafka_offset")).containsExactly("0", "1", "1", "3", "4");
    assertThat(stream.copy().rounds()).isZero();
    assertThatThrownBy(() -> EventTableCheck.of(stream.lake(), stream.source()))
        .hasMessage(
            "tarn.events.hand is not right\n  1 offset is there more than once: partition 0, offset 1 (2 rows)\n  1 gap: partition 0, offsets 2 to 2");

    // Back to what it was: the cut goes back with it.
    stream
        .lake()
        .spark()
        .sql(
            "CALL tarn.system.rollback_to_snapshot('events.hand', %d)"
                .formatted(outcome.snapshotId()));
    assertThat(stream.copy().events()).isEqualTo(1);
    assertPlaces(stream, Map.of(0, 5L));

    stream
        .lake()
        .spark()
        .sql(
            "INSERT INTO tarn.events.hand VALUES (9, TIMESTAMP '%s', 0, 77, null), (9, TIMESTAMP '%s', null, null, null)"
                .formatted(AT, AT));
    assertThatThrownBy(stream::copy)
        .hasMessageContaining(
            "\n  1 row without partition or offset\n  1 offset is there and not before the cut: partition 0, offset 77\n");
  }

  @Test
  @Tag("slow")
  void aLostCutIsFoundAgainInTheRows() {
    EventStream stream = stream("nocut", 1, EventStream.JSON);
    stream.bench().set("archive.max-undecoded", "1");
    topics.send("nocut", 0, event(0), event(1), "bad");
    stream.copy();
    topics.send("nocut", 0, event(3));
    stream.copy();
    topics.send("nocut", 0, "worse");
    stream.copy();
    SparkActions.get(stream.lake().spark())
        .rewriteDataFiles(stream.iceberg())
        .option("rewrite-all", "true")
        .execute();
    // Compaction keeps the cut, as long as the snapshot before it is there.
    assertThat(stream.copy().rounds()).isZero();
    stream.iceberg().expireSnapshots().expireOlderThan(Long.MAX_VALUE).retainLast(1).commit();
    assertThat(stream.table().cut(stream.main())).isEmpty();
    stream.said();

    Archive.Outcome outcome = stream.copy();
    assertThat(stream.said())
        .startsWith("tarn.events.nocut has no cut; it goes on after its greatest offsets: 0: 4\n");
    assertThat(outcome.undecoded()).isEqualTo(1);
    assertPlaces(stream, Map.of(0, 5L), 2);
    assertThat(stream.copy().rounds()).isZero();
  }

  @Test
  void numbersAreMomentsInTheUnitThatIsSaid() {
    EventStream stream = stream("epochs", 1, EventStream.JSON + ", epoch = milliseconds");
    topics.send(
        "epochs", 0, "{\"user_id\": 1, \"at\": 1767247200000}", "{\"at\": 1767247200000.5}");
    stream.copy();
    assertThat(stream.events("at"))
        .containsExactly("2026-01-01T06:00:00Z", "2026-01-01T06:00:00.000500Z");
  }

  @Test
  @Tag("slow")
  void aMessageOfTenMegabytesIsCopied() {
    EventStream stream =
        stream("large", 1, "value = json, timestamp = at, schema = \"text STRING, at TIMESTAMP\"");
    String text = "x".repeat(10_000_000);
    topics.send(
        "large",
        0,
        "{\"text\": \"%s\", \"at\": \"%s\"}".formatted(text, AT),
        "{\"at\": \"%s\"}".formatted(AT));
    stream.copy();
    assertThat(stream.events("length(text)", "kafka_offset"))
        .containsExactly("10000000 0", "null 1");
  }

  @Test
  @Tag("slow")
  void avroIsReadByItsSchema() throws IOException {
    EventStream stream =
        new EventStream(broker, "avro", "value = avro, avro-schema = \"e.avsc\", timestamp = at");
    topics.create("avro", 1);
    Schema schema =
        new Schema.Parser()
            .parse(
                """
                {"type": "record", "name": "event", "fields": [
                  {"name": "user", "type": ["null", "string"]},
                  {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
                  {"name": "tags", "type": {"type": "array", "items": "int"}}]}
                """);
    Files.writeString(stream.bench().path("features/e.avsc"), schema.toString());
    GenericRecord event = new GenericData.Record(schema);
    event.put("user", "ann");
    event.put("at", 1_767_247_200_123L);
    event.put("tags", List.of(1, -2));
    byte[] good = avro(schema, event);
    byte[] longer = java.util.Arrays.copyOf(good, good.length + 1);
    event.put("user", null);
    topics.send("avro", 0, null, good, Topics.SENT);
    topics.send("avro", 0, null, avro(schema, event), Topics.SENT);
    topics.send("avro", 0, null, longer, Topics.SENT);
    topics.send("avro", 0, "{\"user\": \"ann\"}");
    stream.copy();
    assertThat(stream.events("user", "at", "tags"))
        .allMatch(line -> line.contains("2026-01-01T06:00:00.123Z"))
        .hasSize(2);
    assertThat(stream.events("user", "tags[1]")).containsExactly("ann -2", "null -2");
    assertThat(stream.beside("reason").get(0))
        .isEqualTo("is not of the Avro schema: it has 1 bytes after its last field");
    assertThat(stream.beside("reason").get(1)).startsWith("is not of the Avro schema: it ");
  }

  private static byte[] avro(Schema schema, GenericRecord event) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    try {
      new GenericDatumWriter<GenericRecord>(schema).write(event, encoder);
      encoder.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  @Test
  @Tag("slow")
  void theTableFollowsTheDefinition() {
    EventStream stream = stream("schema", 1, EventStream.JSON);
    topics.send("schema", 0, event(1));
    stream.copy();
    stream.define(
        "value = json, timestamp = at, schema = \"user_id BIGINT, page STRING, n INT, at TIMESTAMP\"");
    topics.send(
        "schema", 0, "{\"user_id\": 2, \"page\": \"p\", \"n\": 1, \"at\": \"%s\"}".formatted(AT));
    stream.copy();
    assertThat(stream.events("user_id", "page", "kafka_offset"))
        .containsExactly("1 null 0", "2 p 1");
    // One goes and one gets wider.
    stream.define(
        "value = json, timestamp = at, schema = \"n BIGINT, user_id BIGINT, at TIMESTAMP\"");
    topics.send("schema", 0, "{\"n\": 3000000000, \"at\": \"%s\"}".formatted(AT));
    stream.copy();
    assertThat(stream.events("user_id", "page", "n"))
        .containsExactly("1 null null", "2 p 1", "null null 3000000000");
    stream.define("value = json, timestamp = at, schema = \"user_id STRING, at TIMESTAMP\"");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "features/stream.conf:2: source 'schema': the event table tarn.events.schema can't follow the definition\n  column 'user_id' is long in the table and string in the definition, and values can't be turned from one into the other without loss; give the new one another name");
  }

  @Test
  void aTableThatIsNoEventTableIsLeftAlone() {
    EventStream stream = stream("alien", 1, EventStream.JSON);
    stream.lake().spark().sql("CREATE NAMESPACE IF NOT EXISTS tarn.events");
    stream.lake().spark().sql("CREATE TABLE tarn.events.alien (a INT) USING iceberg");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "features/stream.conf:2: table tarn.events.alien is there and no event table: it has no column 'kafka_partition'; name another table");
    stream.bench().set("database", "events");
    assertThatThrownBy(stream::copy)
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("that is where the feature tables are");
  }

  @Test
  @Tag("slow")
  void whatTransactionsTookBackIsNoEvent() {
    EventStream stream = stream("transactions", 1, EventStream.JSON);
    try (KafkaProducer<byte[], byte[]> producer =
        Topics.producer(broker, Map.of("transactional.id", "t1"))) {
      producer.initTransactions();
      for (boolean commits : List.of(true, false, true)) {
        producer.beginTransaction();
        Topics.send(producer, "transactions", event(commits ? 1 : 2));
        if (commits) {
          producer.commitTransaction();
        } else {
          producer.abortTransaction();
        }
      }
      producer.beginTransaction();
      Topics.send(producer, "transactions", event(3));
      // The one that is open ends what can be read.
      assertThat(stream.copy().events()).isEqualTo(2);
      producer.commitTransaction();
    }
    stream.copy();
    assertThat(stream.events("user_id", "kafka_offset")).containsExactly("1 0", "1 4", "3 6");
    assertThat(EventTableCheck.of(stream.lake(), stream.source()))
        .isEqualTo(
            "tarn.events.transactions has each offset before its cut (0: 8) once, but for 3 gaps: partition 0, offsets 1 to 3; partition 0, offsets 5 to 5; partition 0, offsets 7 to 7 (a topic that is compacted or has transactions has gaps of its own)");
  }

  @Test
  @Tag("slow")
  void aRunGoesOnUntilItIsToStop() throws Exception {
    EventStream stream = stream("follow", 1, EventStream.JSON);
    StopSignal stop = new StopSignal();
    CompletableFuture<Archive.Outcome> run =
        CompletableFuture.supplyAsync(
            () -> stream.archive(false, false).follow(Duration.ofMillis(50), stop));
    try {
      for (int batch = 1; batch <= 3; batch++) {
        topics.send("follow", 0, event(batch));
        int expected = batch;
        await().until(() -> run.isDone() || count(stream) == expected);
      }
    } finally {
      stop.ask();
    }
    assertThat(run.get().events()).isEqualTo(3);
    assertPlaces(stream, Map.of(0, 3L));
  }

  @Test
  @Tag("slow")
  void viewsReadTheEventTable() {
    EventStream stream = stream("read", 1, EventStream.JSON);
    stream
        .bench()
        .define(
            "views.conf",
            """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        feature-views { clicks {
          entity = user, sources = [read]
          sql = "SELECT user_id, count(*) AS clicks, max(kafka_offset) AS newest FROM read GROUP BY 1"
          features = [{ name = clicks, type = bigint }, { name = newest, type = bigint }]
        } }
        """);
    assertThatThrownBy(() -> stream.bench().build("clicks", "2026-01-02T00:00:00Z"))
        .hasMessageContaining(
            "source 'read': there is no event table tarn.events.read yet; ./tarn archive source=read makes and fills it");
    topics.send("read", 0, event(1), event(1), event(2));
    long snapshot = stream.copy().snapshotId();
    stream.bench().build("clicks", "2026-01-02T00:00:00Z");
    List<Row> rows =
        stream
            .lake()
            .spark()
            .table(stream.lake().sqlName("clicks"))
            .orderBy("user_id")
            .collectAsList();
    assertThat(rows).extracting(row -> row.getLong(2)).containsExactly(2L, 1L);
    Snapshot built = stream.lake().catalog().find("clicks").orElseThrow().currentSnapshot();
    assertThat(built.summary().get("tarn.sources"))
        .isEqualTo("{\"read\":\"snapshot %d\"}".formatted(snapshot));
    // A column that the table does not have yet is null.
    stream.define(
        "value = json, timestamp = at, schema = \"user_id BIGINT, page STRING, at TIMESTAMP\"");
    stream.bench().build("clicks", "2026-01-03T00:00:00Z");
  }

  private static EventStream stream(String name, int partitions, String settings) {
    topics.create(name, partitions);
    return new EventStream(broker, name, settings);
  }

  static String event(int user) {
    return "{\"user_id\": %d, \"at\": \"%s\"}".formatted(user, AT);
  }

  private static long count(EventStream stream) {
    return EventTable.find(stream.lake().catalog(), stream.source().stream().orElseThrow())
        .filter(table -> table.main().isPresent())
        .map(table -> stream.lake().spark().table("tarn.events." + stream.name()).count())
        .orElse(0L);
  }

  private static void assertPlaces(EventStream stream, Map<Integer, Long> ends) {
    assertPlaces(stream, ends, 0);
  }

  /** Each offset up to its partition's end is there once, in one of the two tables. */
  private static void assertPlaces(EventStream stream, Map<Integer, Long> ends, int beside) {
    List<String> expected = new ArrayList<>();
    new TreeMap<>(ends)
        .forEach(
            (partition, end) ->
                LongStream.range(0, end).forEach(offset -> expected.add(partition + " " + offset)));
    List<String> found = new ArrayList<>(stream.events("kafka_partition", "kafka_offset"));
    assertThat(found).hasSize(expected.size() - beside);
    if (beside > 0) {
      found.addAll(stream.beside("kafka_partition", "kafka_offset"));
    }
    assertThat(found).containsExactlyInAnyOrderElementsOf(expected);
    assertThat(Cut.parse(stream.summary().get("tarn.cut")).offsets()).isEqualTo(ends);
  }
}
