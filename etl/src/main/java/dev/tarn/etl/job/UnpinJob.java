package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import java.util.Map;

/** Runs the command {@code unpin}: lets pushes release a view again after a rollback. */
public final class UnpinJob {

  private UnpinJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    String view = line.text("view");
    VersionStore versions = new VersionStore(RedisServers.connect(settings));
    Map<String, ?> releases = versions.releases();
    if (!releases.containsKey(view)) {
      throw new UsageException(
          "nothing is released of a feature view '%s'%s"
              .formatted(view, Suggestion.forName(view, releases.keySet())));
    }
    console.say(
        versions.unpin(view)
            ? "%s: the next push releases again".formatted(view)
            : "%s: was not pinned".formatted(view));
  }
}
