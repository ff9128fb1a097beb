package dev.tarn.etl.expire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.expire.Expire.TableOutcome;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.read.SnapshotLookup;
import dev.tarn.manifest.VersionRecord;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableProperties;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

@Tag("slow")
class TestExpire {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  private final ByteArrayOutputStream said = new ByteArrayOutputStream();

  @Test
  void whatIsServedOrKeptStaysAndEverythingElseGoes() throws IOException {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')").set("push.keep", "2");
    List<VersionRecord> pushed = new ArrayList<>();
    for (int round = 1; round <= 3; round++) {
      build(bench, round);
      pushed.add(bench.push(VIEW).record());
    }
    build(bench, 4);
    VersionRecord gone = pushed.get(0);
    VersionRecord kept = pushed.get(1);
    VersionRecord released = pushed.get(2);
    // Whatever a person may do to the tags.
    Table table = table(bench);
    table
        .manageSnapshots()
        .removeTag("tarn-" + released.getVersion())
        .replaceTag("tarn-" + kept.getVersion(), gone.getSnapshotId())
        .createTag("training", released.getSnapshotId())
        .commit();
    table.updateProperties().set(TableProperties.MAX_REF_AGE_MS, "1").commit();
    Path orphan = orphan(table, Instant.now().minus(Duration.ofDays(1)));
    Path fresh = orphan(table, Instant.now());

    TableOutcome outcome = expire(bench, Duration.ZERO, Duration.ofHours(1)).get(0);

    long head = main(bench).snapshotId();
    assertThat(snapshots(bench))
        .containsExactlyInAnyOrder(kept.getSnapshotId(), released.getSnapshotId(), head);
    assertThat(outcome.table()).isEqualTo(VIEW);
    assertThat(outcome.snapshots()).isGreaterThanOrEqualTo(4);
    assertThat(outcome.files()).isGreaterThan(4);
    assertThat(outcome.tagged())
        .containsExactlyInAnyOrder(kept.getVersion(), released.getVersion());
    assertThat(outcome.kept())
        .containsExactly(
            new Expire.Kept(released.getVersion(), released.getSnapshotId(), true, false),
            new Expire.Kept(kept.getVersion(), kept.getSnapshotId(), false, false));
    assertThat(outcome.orphans()).isOne();
    assertThat(orphan).doesNotExist();
    assertThat(fresh).exists();
    assertThat(said())
        .contains(
            "score: the tag of version %s was missing; put back\n".formatted(released.getVersion()))
        .contains(
            "; kept for %s (released, snapshot %d), %s (kept, snapshot %d)\n"
                .formatted(
                    released.getVersion(),
                    released.getSnapshotId(),
                    kept.getVersion(),
                    kept.getSnapshotId()));

    // What stayed can be read, by its id and by its tag.
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    for (VersionRecord record : List.of(kept, released)) {
      GetOnlineFeaturesResponse byTag = get(bench, "tarn-" + record.getVersion());
      assertThat(byTag.getVersions(0).getSnapshotId()).isEqualTo(record.getSnapshotId());
      assertThat(byTag).isEqualTo(get(bench, Long.toString(record.getSnapshotId())));
      assertThat(byTag.getResultsOrThrow("1").getFeaturesOrThrow("points"))
          .isEqualTo(OnlineCopy.inRedis(bench, record).get("1").values().get("points"));
    }
    assertThatThrownBy(() -> get(bench, Long.toString(gone.getSnapshotId())))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(
            "has no published snapshot or tag of that name (expired, or of another table?)");

    // Once more, there is nothing left to do.
    TableOutcome again = expire(bench, Duration.ZERO, Duration.ofHours(1)).get(0);
    assertThat(again.snapshots()).isZero();
    assertThat(again.orphans()).isZero();
    assertThat(again.tagged()).isEmpty();

    // A delta would need the snapshots in between, so this push is full.
    assertThatThrownBy(
            () -> bench.push(new Push.Request(Optional.empty(), Push.Mode.DELTA, false), VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(
            "of the snapshots between %d and %d some are expired; push it with mode=full"
                .formatted(released.getSnapshotId(), head));
    assertThat(bench.push(VIEW).mode()).isEqualTo("full");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void youngSnapshotsStayAndADeltaCanBeLaidOverTheReleasedOne() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')").set("push.max-overlay", "1");
    Scores.generate(bench, "2026-01-05", 100, 20, 1);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    List<Long> before = snapshots(bench);
    expire(bench, Duration.ofDays(30), Duration.ofDays(30));
    assertThat(snapshots(bench)).isEqualTo(before);
    expire(bench, Duration.ZERO, Duration.ofHours(1));
    Scores.generate(bench, "2026-01-06", 10, 20, 2);
    bench.build(VIEW, TUESDAY);
    assertThat(bench.push(VIEW).mode()).isEqualTo("delta");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aCompactedVersionOfChangesIsStillRead() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'a')").set("push.keep", "2");
    Scores.define(bench, Scores.FEATURES, "history = changes");
    Scores.write(bench, "(1, '2026-01-05', 1, 'a'), (2, '2026-01-05', 2, 'b')");
    bench.build(VIEW, MONDAY);
    compact(bench);
    VersionRecord compacted = bench.push(VIEW).record();
    assertThat(main(bench).operation()).isEqualTo("replace");
    Scores.write(bench, "(1, '2026-01-06', 7, 'a'), (3, '2026-01-06', 3, 'c')");
    bench.build(VIEW, TUESDAY);
    bench.push(VIEW);
    GetOnlineFeaturesResponse before = get(bench, "tarn-" + compacted.getVersion());
    assertThat(before.getResultsOrThrow("2").getFeaturesOrThrow("points").getNumberValue())
        .isEqualTo(2);

    expire(bench, Duration.ZERO, Duration.ofHours(1));
    assertThat(get(bench, "tarn-" + compacted.getVersion())).isEqualTo(before);
    assertThat(table(bench).refs().keySet()).anyMatch(ref -> ref.startsWith("tarn-as-ofs-"));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // No longer than it is needed.
    table(bench).manageSnapshots().removeTag("tarn-" + compacted.getVersion()).commit();
    assertThat(bench.versions().prune(compacted)).isTrue();
    expire(bench, Duration.ZERO, Duration.ofHours(1));
    assertThat(table(bench).refs().keySet()).noneMatch(ref -> ref.startsWith("tarn-as-ofs-"));
    assertThat(snapshots(bench)).containsExactly(main(bench).snapshotId());
    // The newest alone is enough.
    compact(bench);
    expire(bench, Duration.ZERO, Duration.ofHours(1));
    assertThat(get(bench, Long.toString(main(bench).snapshotId())).getResultsOrThrow("3"))
        .isNotNull();
    assertThat(bench.push(VIEW).pushed()).isTrue();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void whatDeadBuildsAndPushesLeftIsRemovedOnceItIsOld() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    Table table = table(bench);
    String branch = "audit_20260106T000000Z";
    String schema = table.schema().toString();
    table.manageSnapshots().createBranch(branch).commit();
    table.updateSchema().deleteColumn("level").commit();
    bench.versions().mint(VIEW, 2, Duration.ofSeconds(30));
    OnlineCopy.expireLeases(bench, VIEW);

    assertThat(expire(bench, Duration.ofDays(1), Duration.ofDays(3)).get(0).deadBuilds()).isEmpty();
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    // A build that has only begun: main is old, and its branch has just been made.
    Instant later = Instant.now().plus(Duration.ofDays(40));
    FeatureTable features = FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow();
    assertThat(
            features
                .audits()
                .removeDead(later, Instant.ofEpochMilli(main(bench).timestampMillis() - 1)))
        .isEmpty();
    assertThat(table(bench).refs()).containsKey(branch);

    assertThat(expire(bench, Duration.ZERO, Duration.ofDays(3)).get(0).deadBuilds())
        .containsExactly(branch);
    assertThat(said()).contains("score: branch %s of a dead build is removed".formatted(branch));
    assertThat(table(bench).refs()).doesNotContainKey(branch);
    assertThat(table(bench).schema().toString()).isEqualTo(schema);
  }

  @Test
  void whereItCanNotBeToldWhatIsServedNothingIsExpired() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    build(bench, 1);
    VersionRecord served = bench.push(VIEW).record();
    build(bench, 2);
    List<Long> before = snapshots(bench);
    table(bench).manageSnapshots().removeTag("tarn-" + served.getVersion()).commit();
    String records = bench.redis().settings().keys().manifests(VIEW);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      String json = jedis.hget(records, served.getVersion());
      jedis.hdel(records, served.getVersion());
      assertThatThrownBy(() -> expire(bench, Duration.ZERO, Duration.ofHours(1)))
          .isInstanceOf(TarnException.class)
          .hasMessageStartingWith(
              "score: version %s is released, and neither Redis nor a tag of"
                  .formatted(served.getVersion()))
          .hasMessageEndingWith("so nothing is expired; push the view again with mode=full");
      assertThat(snapshots(bench)).isEqualTo(before);
      // The tag was dropped, and somebody else's job expired the snapshot.
      jedis.hset(records, served.getVersion(), json);
    }
    table(bench).expireSnapshots().expireSnapshotId(served.getSnapshotId()).commit();
    TableOutcome outcome = expire(bench, Duration.ZERO, Duration.ofHours(1)).get(0);
    assertThat(outcome.kept())
        .containsExactly(new Expire.Kept(served.getVersion(), served.getSnapshotId(), true, true));
    assertThat(said())
        .contains(
            "score: snapshot %d of version %s was expired by something else than Tarn"
                .formatted(served.getSnapshotId(), served.getVersion()));
  }

  @Test
  void versionsBeyondThoseToKeepGoWithTheirTagsAndSnapshots() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    List<String> pushed = new ArrayList<>();
    for (int round = 1; round <= 3; round++) {
      build(bench, round);
      pushed.add(bench.push(VIEW).record().getVersion());
    }
    bench.set("push.keep", "2");

    TableOutcome outcome = expire(bench, Duration.ZERO, Duration.ofHours(1)).get(0);

    assertThat(outcome.pruned()).containsExactly(pushed.get(0));
    assertThat(outcome.kept())
        .extracting(Expire.Kept::version)
        .containsExactlyInAnyOrder(pushed.get(1), pushed.get(2));
    assertThat(table(bench).refs())
        .containsKeys("tarn-" + pushed.get(1), "tarn-" + pushed.get(2))
        .doesNotContainKey("tarn-" + pushed.get(0));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void theCommandSaysWhatItDidAndNeedsRedis() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    build(bench, 1);
    VersionRecord served = bench.push(VIEW).record();
    build(bench, 2);
    List<Long> before = snapshots(bench);
    bench.output();
    for (String bad : List.of("30", "-1d", "soon", "")) {
      assertThat(bench.run("expire", "older-than=" + bad)).isEqualTo(2);
      assertThat(bench.output())
          .contains("older-than=%s is not a length of time: write 30d, 12h or 0s".formatted(bad));
    }
    assertThat(bench.run("expire", "view=scores")).isEqualTo(2);
    assertThat(bench.output()).contains("did you mean 'score'?");
    String port = bench.settings().read(tarn -> tarn.getString("redis.port"));
    bench.set("redis.port", Integer.toString(Workbench.freePort()));
    assertThat(bench.run("expire", "older-than=0s")).isEqualTo(1);
    assertThat(bench.output()).startsWith("tarn: can't use Redis at 127.0.0.1:");
    bench.set("redis.port", port);
    assertThat(snapshots(bench)).isEqualTo(before);

    assertThat(bench.run("expire", "view=score", "older-than=0s", "format=json")).isZero();
    String printed = bench.output();
    JsonArray tables =
        JsonParser.parseString(printed.substring(0, printed.indexOf('\n')))
            .getAsJsonObject()
            .getAsJsonArray("tables");
    assertThat(tables).hasSize(2);
    JsonObject score = tables.get(0).getAsJsonObject();
    assertThat(score.get("table").getAsString()).isEqualTo(VIEW);
    assertThat(score.get("snapshots_expired").getAsInt()).isPositive();
    assertThat(score.get("files_deleted").getAsInt()).isPositive();
    assertThat(score.get("orphan_files_deleted").getAsInt()).isZero();
    assertThat(score.getAsJsonArray("branches_removed")).isEmpty();
    assertThat(score.getAsJsonArray("versions_pruned")).isEmpty();
    assertThat(score.getAsJsonArray("tags_put_back")).isEmpty();
    assertThat(score.getAsJsonArray("kept"))
        .isEqualTo(
            JsonParser.parseString(
                """
                [{"version": "%s", "state": "released", "snapshot_id": "%d", "snapshot_exists": true}]
                """
                    .formatted(served.getVersion(), served.getSnapshotId())));
    assertThat(tables.get(1).getAsJsonObject().get("table").getAsString())
        .isEqualTo("tarn_releases");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  /** The first outcome is the view's. */
  private List<TableOutcome> expire(
      Workbench bench, Duration olderThan, Duration orphansOlderThan) {
    PrintStream stream = new PrintStream(said, true, StandardCharsets.UTF_8);
    return new Expire(
            bench.lake(),
            bench.redis(),
            new Console(stream, stream),
            bench.settings().read(tarn -> tarn.getInt("push.keep")),
            Duration.ZERO,
            olderThan,
            orphansOlderThan)
        .expire(List.of(VIEW));
  }

  private String said() {
    return said.toString(StandardCharsets.UTF_8);
  }

  private static void build(Workbench bench, int points) {
    Scores.write(
        bench, "(1, '2026-01-05', %1$d, 'a'), (2, '2026-01-05', %1$d, 'b')".formatted(points));
    bench.build(VIEW, MONDAY);
  }

  private static void compact(Workbench bench) {
    bench
        .spark()
        .sql(
            "CALL tarn.system.rewrite_data_files(table => '%s', options => map('rewrite-all', 'true'))"
                .formatted(bench.lake().sqlName(VIEW)));
  }

  private static GetOnlineFeaturesResponse get(Workbench bench, String snapshotOrTag) {
    return new SnapshotLookup(bench.lake())
        .get(bench.definitions().view(VIEW), snapshotOrTag, List.of("1", "2", "3"), List.of());
  }

  private static Path orphan(Table table, Instant modified) throws IOException {
    String location = table.location();
    Path root = location.contains(":") ? Path.of(URI.create(location)) : Path.of(location);
    Path file = Files.createTempFile(root.resolve("data"), "left", ".parquet");
    Files.setLastModifiedTime(file, FileTime.from(modified));
    return file;
  }

  private static List<Long> snapshots(Workbench bench) {
    return Stream.of(table(bench).snapshots())
        .flatMap(all -> java.util.stream.StreamSupport.stream(all.spliterator(), false))
        .map(Snapshot::snapshotId)
        .sorted()
        .toList();
  }

  private static Snapshot main(Workbench bench) {
    return table(bench).currentSnapshot();
  }

  private static Table table(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg();
  }
}
