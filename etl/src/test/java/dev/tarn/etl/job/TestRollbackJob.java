package dev.tarn.etl.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Value;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.Scores;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.iceberg.Table;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

class TestRollbackJob {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";
  private static final String WEDNESDAY = "2026-01-07T00:00:00Z";

  @Test
  void theVersionBeforeIsReleasedAndPinnedUntilUnpin() {
    Workbench bench = bench();
    VersionRecord before = pushed(bench, 1);
    VersionRecord rejected = pushed(bench, 2);
    bench.output();
    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(bench.output())
        .isEqualTo(
            "score: back to %s, snapshot %d; it was %s. Pushes leave it alone until ./tarn unpin view=score\n"
                .formatted(before.getVersion(), before.getSnapshotId(), rejected.getVersion()));
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(before);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    Release pin = bench.versions().pins().get(VIEW);
    assertThat(bench.versions().released(VIEW)).contains(pin);
    assertThat(bench.run("versions")).isZero();
    assertThat(bench.output())
        .containsPattern("score +%s +released, pinned +".formatted(before.getVersion()))
        .containsPattern("score +%s +kept +".formatted(rejected.getVersion()))
        .contains(
            "score is pinned to %s by a rollback at %s: pushes release nothing until ./tarn unpin view=score\n"
                .formatted(before.getVersion(), pin.releasedAt()));
    assertThat(bench.run("versions", "view=score", "format=json")).isZero();
    JsonArray listed = JsonParser.parseString(bench.output()).getAsJsonArray();
    assertThat(listed.get(0).getAsJsonObject().get("pinned").getAsBoolean()).isFalse();
    assertThat(listed.get(0).getAsJsonObject().has("pinned_at")).isFalse();
    assertThat(listed.get(1).getAsJsonObject().get("pinned").getAsBoolean()).isTrue();
    assertThat(listed.get(1).getAsJsonObject().get("pinned_at").getAsString())
        .isEqualTo(pin.releasedAt().toString());
    assertThat(listed.get(1).getAsJsonObject().get("state").getAsString()).isEqualTo("released");

    // The next scheduled push, with something new to bring.
    build(bench, 3);
    Set<String> keys = keys(bench);
    Map<String, ?> refs = table(bench).refs();
    assertThat(bench.run("push", "view=score", "format=json")).isZero();
    String printed = bench.output();
    assertThat(printed)
        .contains(
            "score: pinned to %s by a rollback at %s, so nothing was pushed; ./tarn unpin view=score lets pushes release again"
                .formatted(before.getVersion(), pin.releasedAt()));
    JsonObject json =
        JsonParser.parseString(printed.substring(0, printed.indexOf('\n'))).getAsJsonObject();
    assertThat(json.get("state").getAsString()).isEqualTo("pinned");
    assertThat(json.get("pushed").getAsBoolean()).isFalse();
    assertThat(json.get("mode").getAsString()).isEmpty();
    assertThat(json.get("version").getAsString()).isEqualTo(before.getVersion());
    assertThat(json.get("rows_written").getAsLong()).isZero();
    assertThat(bench.versions().released(VIEW)).contains(pin);
    assertThat(keys(bench)).isEqualTo(keys);
    assertThat(table(bench).refs()).isEqualTo(refs);

    assertThat(bench.run("unpin", "view=score")).isZero();
    assertThat(bench.run("unpin", "view=score")).isZero();
    assertThat(bench.output())
        .isEqualTo("score: the next push releases again\nscore: was not pinned\n");
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED);
    assertThat(OnlineCopy.inRedis(bench, OnlineCopy.released(bench, VIEW)).get("1").values())
        .containsEntry("points", number(3));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void anyKeptVersionCanBeNamedAndOthersAreRefused() {
    Workbench bench = bench();
    assertThat(bench.run("rollback", "view=score")).isEqualTo(2);
    assertThat(bench.output()).contains("nothing is released of a feature view 'score'");
    List<VersionRecord> versions = new ArrayList<>();
    for (int points = 1; points <= 3; points++) {
      versions.add(pushed(bench, points));
    }
    bench.output();
    assertThat(bench.run("rollback", "view=scores")).isEqualTo(2);
    assertThat(bench.output())
        .contains("nothing is released of a feature view 'scores'; did you mean 'score'?");
    assertThat(bench.run("unpin", "view=scores")).isEqualTo(2);
    assertThat(bench.output()).contains("did you mean 'score'?");
    assertThat(bench.run("rollback", "view=score", "version=v99-nobody")).isEqualTo(2);
    assertThat(bench.output())
        .contains("version=v99-nobody: score has")
        .contains(versions.get(0).getVersion())
        .contains("with snapshot= any snapshot of its table can be released again");
    assertThat(bench.run("rollback", "view=score", "version=v1", "snapshot=1")).isEqualTo(2);
    assertThat(bench.output()).contains("rollback takes version= or snapshot=, not both");
    assertThat(bench.versions().pins()).isEmpty();

    String oldest = versions.get(0).getVersion();
    assertThat(bench.run("rollback", "view=score", "version=" + oldest)).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(versions.get(0));
    // From there, there is no way back; forward there is.
    bench.output();
    assertThat(bench.run("rollback", "view=score")).isEqualTo(1);
    assertThat(bench.output())
        .contains(
            "score: Redis has no version from before %s; with snapshot= any snapshot of its table can be released again"
                .formatted(oldest));
    assertThat(bench.run("rollback", "view=score", "snapshot=tarn-" + versions.get(1).getVersion()))
        .isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(versions.get(1));
    assertThat(bench.versions().pins().get(VIEW))
        .isEqualTo(bench.versions().released(VIEW).orElseThrow());
  }

  @Test
  void aSnapshotThatIsNoLongerInRedisIsPushedAgain() {
    Workbench bench = bench().set("push.keep", "1");
    VersionRecord first = pushed(bench, 1);
    table(bench).manageSnapshots().createTag("audited", first.getSnapshotId()).commit();
    long unpushed = build(bench, 2);
    VersionRecord third = pushed(bench, 3);
    assertThat(bench.versions().records(VIEW)).containsExactly(third);

    bench.output();
    assertThat(bench.run("rollback", "view=score", "snapshot=tarn-v0-gone")).isEqualTo(2);
    assertThat(bench.output())
        .startsWith("tarn: snapshot=tarn-v0-gone: ")
        .doesNotContain("pushed again");
    assertThat(bench.run("rollback", "view=score", "snapshot=audited")).isZero();
    VersionRecord again = OnlineCopy.released(bench, VIEW);
    assertThat(bench.output())
        .contains("score: snapshot audited is no longer in Redis and is pushed again")
        .contains(
            "score: snapshot %d is released as %s (full)"
                .formatted(first.getSnapshotId(), again.getVersion()))
        .contains("score: pushes leave it alone until ./tarn unpin view=score");
    assertThat(again.getSnapshotId()).isEqualTo(first.getSnapshotId());
    assertThat(again.getVersion()).isNotEqualTo(first.getVersion());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.PINNED);

    // A pinned view can be rolled back further, or forward.
    assertThat(bench.run("rollback", "view=score", "snapshot=" + unpushed)).isZero();
    assertThat(OnlineCopy.released(bench, VIEW).getSnapshotId()).isEqualTo(unpushed);
    assertThat(bench.versions().pins().get(VIEW))
        .isEqualTo(bench.versions().released(VIEW).orElseThrow());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    Release released = bench.versions().released(VIEW).orElseThrow();
    bench.output();
    assertThat(bench.run("rollback", "view=score", "snapshot=12345")).isEqualTo(2);
    assertThat(bench.output())
        .contains("snapshot=12345: ")
        .contains("has no published snapshot")
        .doesNotContain("pushed again");
    assertThat(bench.versions().released(VIEW)).contains(released);
  }

  @Test
  void theSchemaOfTheOlderVersionIsServedAgain() {
    Workbench bench = bench();
    VersionRecord before = pushed(bench, 1);
    Scores.define(
        bench,
        "user_id, points AS score, points * 2 AS bonus",
        "[{ name = score, was = points, type = bigint }, { name = bonus, type = bigint }]",
        "");
    bench.build(VIEW, MONDAY);
    VersionRecord after = bench.push(VIEW).record();
    assertThat(names(after)).containsExactly("score", "bonus");

    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(before);
    assertThat(names(before)).containsExactly("points", "level");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(bench.run("unpin", "view=score")).isZero();
    assertThat(bench.push(VIEW).state()).isEqualTo(Push.State.RELEASED);
    assertThat(names(OnlineCopy.released(bench, VIEW))).containsExactly("score", "bonus");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aDeltaIsRolledBackToItsBaseAndToBeforeIt() {
    Workbench bench = bench().set("push.keep", "5").set("push.max-overlay", "1");
    VersionRecord first = pushed(bench, 1);
    VersionRecord base = pushed(bench, 2);
    Scores.write(bench, "(1, '2026-01-06', 30, 'a'), (3, '2026-01-06', 31, 'c')");
    bench.build(VIEW, TUESDAY);
    Push.Outcome delta = bench.push(VIEW);
    assertThat(delta.mode()).isEqualTo("delta");
    assertThat(delta.record().getBase().getVersion()).isEqualTo(base.getVersion());

    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(base);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(first);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    // Forward to the delta, whose base is there still.
    String version = delta.record().getVersion();
    assertThat(bench.run("rollback", "view=score", "version=" + version)).isZero();
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(delta.record());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // A delta after a rollback is laid over what is released then.
    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(bench.run("unpin", "view=score")).isZero();
    Scores.write(bench, "(2, '2026-01-07', 70, 'b')");
    bench.build(VIEW, WEDNESDAY);
    // Said, because the base has fewer rows than have changed since.
    Push.Outcome next =
        bench.push(new Push.Request(Optional.empty(), Push.Mode.DELTA, false), VIEW).get(0);
    assertThat(next.record().getBase().getVersion()).isEqualTo(base.getVersion());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  private static Workbench bench() {
    return Scores.bench("(1, '2026-01-05', 0, 'a')");
  }

  /** Monday once more, with other values; the result is its snapshot. */
  private static long build(Workbench bench, int points) {
    Scores.write(
        bench, "(1, '2026-01-05', %1$d, 'a'), (2, '2026-01-05', %1$d, 'b')".formatted(points));
    bench.build(VIEW, MONDAY);
    return table(bench).currentSnapshot().snapshotId();
  }

  private static VersionRecord pushed(Workbench bench, int points) {
    build(bench, points);
    return bench
        .push(new Push.Request(Optional.empty(), Push.Mode.FULL, false), VIEW)
        .get(0)
        .record();
  }

  private static List<String> names(VersionRecord record) {
    return record.getFeaturesList().stream().map(feature -> feature.getName()).toList();
  }

  private static Value number(double number) {
    return Value.newBuilder().setNumberValue(number).build();
  }

  private static Set<String> keys(Workbench bench) {
    String namespace = bench.settings().read(tarn -> tarn.getString("redis.namespace"));
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      return jedis.keys("*" + namespace + "[:}]*");
    }
  }

  private static Table table(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg();
  }
}
