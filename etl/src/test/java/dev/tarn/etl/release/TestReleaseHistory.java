package dev.tarn.etl.release;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Timestamps;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;

class TestReleaseHistory {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  @Test
  void everyReleaseIsARowThatTheNextOneCloses() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')").set("push.max-overlay", "1");
    Scores.generate(bench, "2026-01-05", 100, 20, 1);
    bench.build(VIEW, MONDAY);
    Push.Outcome full = bench.push(VIEW);
    Scores.generate(bench, "2026-01-06", 10, 20, 2);
    bench.build(VIEW, TUESDAY);
    Push.Outcome delta = bench.push(VIEW);
    // Nothing is released, so nothing is to be told.
    assertThat(bench.push(VIEW).pushed()).isFalse();
    Instant ofDelta = bench.versions().released(VIEW).orElseThrow().releasedAt();
    assertThat(bench.run("rollback", "view=score")).isZero();
    Release ofRollback = bench.versions().released(VIEW).orElseThrow();

    List<Row> rows = rows(bench);
    assertThat(rows)
        .extracting(row -> row.getString(row.fieldIndex("version")))
        .containsExactly(
            full.record().getVersion(), delta.record().getVersion(), full.record().getVersion());
    assertThat(rows)
        .extracting(row -> row.getString(row.fieldIndex("action")))
        .containsExactly("push", "push", "rollback");
    assertThat(rows)
        .extracting(row -> row.getString(row.fieldIndex("mode")))
        .containsExactly("full", "delta", "kept");
    assertThat(rows)
        .extracting(row -> row.getLong(row.fieldIndex("snapshot_id")))
        .containsExactly(
            full.record().getSnapshotId(),
            delta.record().getSnapshotId(),
            full.record().getSnapshotId());
    assertThat(rows)
        .extracting(row -> row.getInstant(row.fieldIndex("as_of")).toString())
        .containsExactly(MONDAY, TUESDAY, MONDAY);
    assertThat(rows)
        .extracting(row -> row.getLong(row.fieldIndex("rows")))
        .containsExactly(100L, 100L, 100L);
    assertThat(rows)
        .extracting(row -> row.getLong(row.fieldIndex("rows_written")))
        .containsExactly(100L, 10L, 0L);
    assertThat(rows)
        .extracting(row -> row.getLong(row.fieldIndex("bytes_written")))
        .containsExactly(full.bytes(), delta.bytes(), 0L);
    assertThat(rows.get(0).getDouble(rows.get(0).fieldIndex("write_seconds")))
        .isEqualTo(full.writing().toMillis() / 1000.0);
    assertThat(rows.get(1).getDouble(rows.get(1).fieldIndex("read_back_seconds")))
        .isEqualTo(delta.readingBack().toMillis() / 1000.0);
    assertThat(at(rows.get(1), "released_at")).contains(ofDelta);
    assertThat(at(rows.get(2), "released_at")).contains(ofRollback.releasedAt());
    assertGapless(rows, VIEW);
    assertThat(bench.versions().events()).isEmpty();

    // This asks what was released when: the question that the table is for.
    assertThat(
            bench
                .spark()
                .sql(
                    "SELECT version FROM %s WHERE released_at <= TIMESTAMP '%s' AND (retired_at IS NULL OR retired_at > TIMESTAMP '%s')"
                        .formatted(table(bench), ofDelta, ofDelta))
                .collectAsList())
        .extracting(row -> row.getString(0))
        .containsExactly(delta.record().getVersion());
  }

  @Test
  void whatIsReleasedWhileTheHistoryIsAwayIsTakenByTheNextPush() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    VersionRecord first = bench.push(VIEW).record();
    Release seen = bench.versions().released(VIEW).orElseThrow();
    // As by a push that was killed right after its release; twice.
    Instant at = seen.releasedAt().plusMillis(5);
    release(bench, first, Optional.of(seen), at);
    Instant later = at.plusMillis(5);
    release(bench, first, bench.versions().released(VIEW), later);
    assertThat(bench.versions().events()).hasSize(2);
    assertThat(rows(bench)).hasSize(1);

    Scores.write(bench, "(1, '2026-01-06', 2, 'b')");
    bench.build(VIEW, TUESDAY);
    VersionRecord second = bench.push(VIEW).record();
    assertThat(bench.versions().events()).isEmpty();
    List<Row> rows = rows(bench);
    assertThat(rows)
        .extracting(row -> at(row, "released_at").orElseThrow())
        .containsExactly(
            seen.releasedAt(),
            at,
            later,
            bench.versions().released(VIEW).orElseThrow().releasedAt());
    assertThat(rows.get(3).getString(rows.get(3).fieldIndex("version")))
        .isEqualTo(second.getVersion());
    assertGapless(rows, VIEW);
  }

  @Test
  void theSameReleasesTakenTwiceAreThereOnce() {
    Workbench bench = new Workbench();
    VersionStore versions = bench.versions();
    ReleaseHistory history = ReleaseHistory.open(bench.lake().catalog());
    history.take(versions);
    assertThat(rows(bench)).isEmpty();
    for (int i = 1; i <= 3; i++) {
      mintAndRelease(bench, "one", 1_000L * i);
    }
    List<String> events = versions.events();
    history.take(versions);
    List<Row> taken = rows(bench);
    assertThat(taken).hasSize(3);
    // A job that dies when the table has them, and Redis has them still.
    try (redis.clients.jedis.Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.rpush(bench.redis().settings().keys().events(), events.toArray(new String[0]));
    }
    history.take(versions);
    assertThat(versions.events()).isEmpty();
    assertThat(rows(bench)).isEqualTo(taken);
    assertGapless(taken, "one");
  }

  @Test
  void viewsThatAreReleasedTogetherHaveOneMoment() {
    Workbench bench = new Workbench();
    VersionStore versions = bench.versions();
    Instant at = Instant.ofEpochMilli(7_000);
    versions.release(
        List.of(
            candidate(minted(bench, "one"), Optional.empty(), at),
            candidate(minted(bench, "two"), Optional.empty(), at)),
        at,
        false,
        List.of());
    mintAndRelease(bench, "two", 8_000);
    ReleaseHistory.open(bench.lake().catalog()).take(versions);
    List<Row> rows = rows(bench);
    assertThat(rows)
        .filteredOn(row -> at(row, "released_at").equals(Optional.of(at)))
        .extracting(row -> row.getString(row.fieldIndex("feature_view")))
        .containsExactlyInAnyOrder("one", "two");
    assertGapless(rows, "one");
    assertGapless(rows, "two");
  }

  @Test
  void jobsThatTakeAtOnceTakeEveryReleaseOnce() throws Exception {
    Workbench bench = new Workbench();
    Lake lake = bench.lake();
    ExecutorService threads = Executors.newFixedThreadPool(3);
    int rounds = 5;
    for (int round = 0; round < rounds; round++) {
      for (int i = 1; i <= 3; i++) {
        mintAndRelease(bench, "one", 10_000L * round + 10L * i);
        mintAndRelease(bench, "two", 10_000L * round + 10L * i);
      }
      CyclicBarrier barrier = new CyclicBarrier(3);
      List<Future<?>> takers = new ArrayList<>();
      for (int taker = 0; taker < 3; taker++) {
        takers.add(
            threads.submit(
                () -> {
                  VersionStore versions = bench.versions();
                  barrier.await();
                  ReleaseHistory.open(lake.catalog()).take(versions);
                  return null;
                }));
      }
      for (Future<?> taker : takers) {
        taker.get();
      }
    }
    threads.shutdown();
    assertThat(bench.versions().events()).isEmpty();
    List<Row> rows = rows(bench);
    assertThat(rows).hasSize(rounds * 6);
    assertThat(rows)
        .extracting(row -> row.getString(0) + row.getString(1) + at(row, "released_at"))
        .doesNotHaveDuplicates();
    assertGapless(rows, "one");
    assertGapless(rows, "two");
  }

  /** Each row of a view ends when the next begins, and only the last is open. */
  private static void assertGapless(List<Row> rows, String view) {
    List<Row> own =
        rows.stream()
            .filter(row -> row.getString(row.fieldIndex("feature_view")).equals(view))
            .toList();
    assertThat(own).isNotEmpty();
    for (int i = 0; i < own.size(); i++) {
      Optional<Instant> next =
          i + 1 < own.size() ? at(own.get(i + 1), "released_at") : Optional.empty();
      assertThat(at(own.get(i), "retired_at")).as("row %d of %s", i, view).isEqualTo(next);
    }
  }

  private static Optional<Instant> at(Row row, String column) {
    return Optional.ofNullable(row.getAs(column));
  }

  private static List<Row> rows(Workbench bench) {
    return bench
        .spark()
        .sql("SELECT * FROM %s ORDER BY released_at, feature_view".formatted(table(bench)))
        .collectAsList();
  }

  private static String table(Workbench bench) {
    return bench.lake().sqlName(Ledger.RELEASES);
  }

  private static void mintAndRelease(Workbench bench, String view, long millis) {
    release(
        bench, minted(bench, view), bench.versions().released(view), Instant.ofEpochMilli(millis));
  }

  private static void release(
      Workbench bench, VersionRecord record, Optional<Release> seen, Instant at) {
    assertThat(bench.versions().release(List.of(candidate(record, seen, at)), at, false, List.of()))
        .isEmpty();
  }

  private static VersionRecord minted(Workbench bench, String view) {
    return VersionRecord.newBuilder()
        .setFeatureView(view)
        .setVersion(bench.versions().mint(view, 1, Duration.ofSeconds(30)))
        .setSnapshotId(42)
        .setAsOf(Timestamps.fromMillis(1))
        .setBuckets(1)
        .build();
  }

  private static VersionStore.Candidate candidate(
      VersionRecord record, Optional<Release> seen, Instant at) {
    ReleaseEvent event = ReleaseHistory.event(record, at, "push").setMode("full").build();
    return new VersionStore.Candidate(record, seen, event);
  }
}
