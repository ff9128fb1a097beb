package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.push.PushReport;
import dev.tarn.etl.redis.RedisServers;
import java.util.List;

/** Runs the command {@code push}: copies views to Redis and releases them together. */
public final class PushJob {

  private PushJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    Push.Mode mode = line.choice("mode", Push.Mode.class, Push.Mode.AUTO);
    if (line.has("view") == line.has("views")) {
      throw new UsageException("push needs view=… or views=…,…: the feature views to push");
    }
    Definitions definitions = Definitions.load(settings);
    List<FeatureView> views =
        (line.has("view") ? List.of(line.text("view")) : line.list("views"))
            .stream().distinct().map(definitions::view).toList();
    if (line.has("snapshot") && views.size() > 1) {
      throw new UsageException("snapshot= is of one feature view; push it with view=");
    }
    Push.Request request = new Push.Request(line.optional("snapshot"), mode, false);
    RedisServers redis = RedisServers.connect(settings);
    try (Lake lake = Lake.open(settings)) {
      List<Push.Outcome> outcomes =
          new Push(lake, redis, settings, console)
              .push(views, definitions.storedServices(views), request);
      if (asJson) {
        console.result(PushReport.json(outcomes, line.has("views")));
      }
    }
  }
}
