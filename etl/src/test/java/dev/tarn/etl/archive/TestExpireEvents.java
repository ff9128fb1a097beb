package dev.tarn.etl.archive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.expire.Expire;
import dev.tarn.etl.expire.Expire.TableOutcome;
import dev.tarn.kafka.KafkaBroker;
import dev.tarn.manifest.TrainingManifest;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.apache.iceberg.Snapshot;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("slow")
class TestExpireEvents {

  private final ByteArrayOutputStream said = new ByteArrayOutputStream();

  @Test
  void smallFilesBecomeLargerOnesAndTheCutStays() {
    try (KafkaBroker broker = KafkaBroker.start();
        Topics topics = new Topics(broker)) {
      topics.create("compact", 1);
      EventStream stream = new EventStream(broker, "compact", EventStream.JSON);
      assertThat(expire(stream)).isEmpty();
      assertThat(said()).isEqualTo("events.compact: nothing has been archived\n");
      long older = 0;
      for (int round = 0; round < 6; round++) {
        topics.send("compact", 0, TestArchive.event(round), "bad");
        stream.copy();
        older = round == 2 ? stream.main().snapshotId() : older;
      }
      long kept = stream.main().snapshotId();
      TrainingSets sets = new TrainingSets(stream.lake().catalog());
      // Nobody has tagged them, or somebody has dropped the tags.
      TrainingManifest set = set(stream, older, kept, kept);
      sets.made(set, "");
      stream.table().refs().tag("tarn-train-1", kept);
      List<String> rows = stream.events("*");
      Cut cut = Cut.parse(stream.summary().get("tarn.cut"));

      List<TableOutcome> outcomes = expire(stream);

      assertThat(outcomes)
          .extracting(TableOutcome::table)
          .containsExactly("events.compact", "events.compact_undecoded");
      assertThat(outcomes.get(0).compacted()).isEqualTo(6);
      assertThat(outcomes.get(0).snapshots()).isGreaterThan(6);
      assertThat(outcomes.get(0).tagged()).containsExactly(set.getId());
      assertThat(said())
          .startsWith(
              """
              events.compact: 6 small files made larger ones
              events.compact: the tag of training set %s was missing; put back
              """
                  .formatted(set.getId()));
      assertThat(stream.lake().spark().table("tarn.events.compact.files").count()).isEqualTo(1);
      assertThat(stream.iceberg().snapshots())
          .extracting(Snapshot::snapshotId)
          .containsExactlyInAnyOrder(older, kept, stream.main().snapshotId());
      assertThat(stream.events("*")).isEqualTo(rows);
      assertThat(stream.table().cut(stream.main())).contains(cut);
      assertThat(stream.beside("kafka_offset")).hasSize(6);
      assertThat(stream.iceberg().refs())
          .containsOnlyKeys("main", "tarn-train-1", set.getId(), set.getId() + "-2");
      assertThat(expire(stream).get(0).tagged()).isEmpty();
      sets.retire(set.getId());
      stream.table().refs().tag(set.getId() + "-2", kept);
      assertThat(expire(stream).get(0).tagged()).isEmpty();
      assertThat(said()).doesNotContain("put back");
      assertThat(stream.iceberg().refs()).containsOnlyKeys("main", "tarn-train-1");

      // What is archived afterwards goes on there, and is no change by others.
      topics.send("compact", 0, TestArchive.event(7), "worse");
      assertThat(stream.copy().events()).isEqualTo(1);
      assertThat(EventTableCheck.of(stream.lake(), stream.source())).endsWith("(0: 14) once");

      stream.lake().spark().sql("DELETE FROM tarn.events.compact WHERE kafka_offset = 0");
      List<Long> before = ids(stream);
      assertThat(expire(stream).get(0).snapshots()).isZero();
      assertThat(said())
          .startsWith(
              "events.compact: something else than archiving has changed it; ./tarn archive says what, and until that is put right nothing is expired\n");
      assertThat(ids(stream)).isEqualTo(before);
    }
  }

  /** The manifest of a set with a view for each of these snapshots of the events. */
  private static TrainingManifest set(EventStream stream, long... snapshots) {
    TrainingManifest.Builder set =
        TrainingManifest.newBuilder().setId(TrainingSets.newId(Instant.now())).setFiles(1);
    for (long snapshot : snapshots) {
      set.addViewsBuilder()
          .setFeatureView("view" + set.getViewsCount())
          .getEventsBuilder()
          .setSource(stream.source().stored())
          .setSnapshotId(snapshot);
    }
    return set.build();
  }

  private List<TableOutcome> expire(EventStream stream) {
    PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
    return new Expire(
            stream.lake(),
            stream.bench().redis(),
            new Console(out, out),
            3,
            Duration.ZERO,
            Duration.ZERO,
            Expire.LONGEST_BUILD)
        .expireEvents(List.of(stream.source().stream().orElseThrow()));
  }

  private static List<Long> ids(EventStream stream) {
    List<Long> ids = new java.util.ArrayList<>();
    stream.iceberg().snapshots().forEach(snapshot -> ids.add(snapshot.snapshotId()));
    return ids;
  }

  private String said() {
    String text = said.toString(StandardCharsets.UTF_8);
    said.reset();
    return text;
  }
}
