package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.live.Live;
import java.util.List;

/** Runs the command {@code live}: follows topics until it is stopped. */
public final class LiveJob {

  private LiveJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    Definitions definitions = Definitions.load(settings);
    List<FeatureView> views =
        line.has("views")
            ? line.list("views").stream().distinct().map(definitions::view).toList()
            : definitions.views().stream().filter(view -> view.live().isPresent()).toList();
    for (FeatureView view : views) {
      if (view.live().isEmpty()) {
        throw new UsageException(
            "view '%s' (%s) is not live: write live {} in its definition"
                .formatted(view.name(), view.position()));
      }
    }
    if (views.isEmpty()) {
      throw new UsageException(
          "no view is live: write live {} in the definition of a window view over a stream source");
    }
    StopSignal stop = StopSignal.ofProcess();
    try (IcebergCatalog catalog = IcebergCatalog.open(settings)) {
      new Live(views, settings, catalog, console, stop).run();
    }
  }
}
