package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.expire.Expire;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.PushSettings;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.Rights;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** Runs the command {@code expire}: removes snapshots and files that nothing needs. */
public final class ExpireJob {

  private ExpireJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    PushSettings push = settings.read(PushSettings::of);
    Duration olderThan = line.duration("older-than", Duration.ofDays(30));
    Definitions definitions = Definitions.load(settings);
    Collection<FeatureView> views =
        line.has("view") ? List.of(definitions.view(line.text("view"))) : definitions.views();
    RedisServers redis = RedisServers.connect(settings);
    new Rights(redis).check(Rights.Job.EXPIRE, views.stream().map(FeatureView::name).toList());
    Duration orphans =
        olderThan.compareTo(Expire.LONGEST_BUILD) > 0 ? olderThan : Expire.LONGEST_BUILD;
    try (Lake lake = Lake.open(settings)) {
      Expire expire =
          new Expire(lake, redis, console, push.keep(), push.grace(), olderThan, orphans);
      List<Expire.TableOutcome> outcomes =
          new ArrayList<>(expire.expire(views.stream().map(FeatureView::name).toList()));
      if (!line.has("view")) {
        outcomes.addAll(
            expire.expireEvents(
                definitions.sources().stream().flatMap(s -> s.stream().stream()).toList()));
      }
      if (asJson) {
        console.result(json(outcomes));
      }
    }
  }

  private static String json(List<Expire.TableOutcome> outcomes) {
    return Json.of(new ExpireResult(outcomes.stream().map(ExpireJob::table).toList()));
  }

  private static TableResult table(Expire.TableOutcome outcome) {
    return new TableResult(
        outcome.table(),
        outcome.snapshots(),
        outcome.files(),
        outcome.orphans(),
        outcome.deadBuilds(),
        outcome.pruned(),
        outcome.tagged(),
        outcome.compacted(),
        outcome.kept().stream()
            .map(
                version ->
                    new KeptVersion(
                        version.version(),
                        version.isReleased() ? "released" : "kept",
                        Long.toString(version.snapshotId()),
                        !version.isLost()))
            .toList());
  }

  private record ExpireResult(List<TableResult> tables) {}

  private record TableResult(
      String table,
      long snapshotsExpired,
      long filesDeleted,
      long orphanFilesDeleted,
      List<String> branchesRemoved,
      List<String> versionsPruned,
      List<String> tagsPutBack,
      int filesCompacted,
      List<KeptVersion> kept) {}

  private record KeptVersion(
      String version, String state, String snapshotId, boolean snapshotExists) {}
}
