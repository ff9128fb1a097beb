package dev.tarn.etl.job;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.archive.Archive;
import dev.tarn.etl.archive.EventTableCheck;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import java.time.Duration;
import java.util.SortedMap;

/** Runs the command {@code archive}: copies events from Kafka to their event table. */
public final class ArchiveJob {

  private static final Duration SHORTEST = Duration.ofSeconds(1);

  private ArchiveJob() {}

  public static void run(CommandLine line, Settings settings, Console console) {
    boolean asJson = line.isJson();
    boolean goesOn = line.has("every");
    Duration every = line.duration("every", SHORTEST);
    if (every.compareTo(SHORTEST) < 0) {
      throw new UsageException("every=%s: it is 1s at least".formatted(line.text("every")));
    }
    boolean checks = line.flag("check");
    if (checks && (goesOn || line.has("skip-lost") || line.has("accept"))) {
      throw new UsageException("check=true copies nothing: it goes with no other argument");
    }
    Archive.Request request = new Archive.Request(line.flag("skip-lost"), line.flag("accept"));
    Source source = Definitions.load(settings).streamSource(line.text("source"));
    if (checks) {
      try (Lake lake = Lake.open(settings)) {
        console.result(EventTableCheck.of(lake, source));
      }
      return;
    }
    StopSignal stop = goesOn ? StopSignal.ofProcess() : new StopSignal();
    try (Lake lake = Lake.open(settings)) {
      Archive archive = new Archive(lake, settings, console, source, request);
      Archive.Outcome outcome = goesOn ? archive.follow(every, stop) : archive.copy();
      if (asJson) {
        console.result(Json.of(result(source, outcome)));
      }
    }
  }

  private static ArchiveResult result(Source source, Archive.Outcome outcome) {
    return new ArchiveResult(
        source.name(),
        source.location(),
        outcome.rounds(),
        outcome.events(),
        outcome.undecoded(),
        outcome.lost(),
        outcome.cut().offsets(),
        Long.toString(outcome.snapshotId()),
        outcome.took().toMillis() / 1000.0);
  }

  private record ArchiveResult(
      String source,
      String table,
      int rounds,
      long events,
      long undecoded,
      long lost,
      SortedMap<Integer, Long> cut,
      String snapshotId,
      double seconds) {}
}
