package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.push.PushSettings;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.Withdrawal;
import dev.tarn.manifest.VersionRecord;
import java.util.List;

/** Runs the command {@code withdraw}: takes a feature view out of Redis. */
public final class WithdrawJob {

  private WithdrawJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    String view = line.text("view");
    boolean isDryRun = line.flag("dry-run");
    boolean asJson = line.isJson();
    PushSettings push = settings.read(PushSettings::of);
    VersionStore versions = new VersionStore(RedisServers.connect(settings));
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      Withdrawal withdrawal = Withdrawal.of(versions, catalog, view);
      withdrawal.consequences().forEach(said -> console.say("%s: %s", view, said));
      if (isDryRun) {
        console.say("%s: nothing is done, as dry-run=true says", view);
      } else {
        withdrawal.run(push.grace());
        console.say("%s: is withdrawn. ./tarn push view=%s would release it again", view, view);
      }
      if (asJson) {
        List<String> gone = withdrawal.versions().stream().map(VersionRecord::getVersion).toList();
        console.result(Json.of(new WithdrawResult(view, !isDryRun, gone)));
      }
    }
  }

  private record WithdrawResult(String featureView, boolean withdrawn, List<String> versions) {}
}
