package dev.tarn.bench.live;

import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.LoadGenerators;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The command {@code bench live}: how long an event takes into an answer, how many events a second
 * live applies, and what that costs, beside a consumer that only counts and beside a query of
 * Spark's Structured Streaming that keeps the same cells. Broker, producer, live job, Redis, server
 * and client share this machine; folder, catalog, broker and Redis are those of the run.
 */
public final class BenchLiveJob {

  private static final int PARTITIONS = 4;

  private BenchLiveJob() {}

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    LiveSizes sizes = LiveSizes.of(line);
    if (!LoadGenerators.has("h2load")) {
      throw new TarnException(
          "h2load is not on the PATH: install nghttp2's clients (Debian: nghttp2-client)");
    }
    Path folder = given.state().resolve("bench").resolve("live").toAbsolutePath();
    try {
      LivePlace.clear(folder);
      LiveViews.defineSpeed(folder.resolve("features"));
      try (BenchRedis redis = BenchRedis.start(folder.resolve("redis"));
          LivePlace place =
              LivePlace.start(given, console, folder, redis.port(), PARTITIONS, List.of())) {
        Thread end = new Thread(place::close, "end");
        Runtime.getRuntime().addShutdownHook(end);
        LiveReport report = new LiveReport(sizes);
        new LiveSpeed(place, sizes, report, console, folder).measure();
        Runtime.getRuntime().removeShutdownHook(end);
        report.print(console, asJson);
      }
    } catch (IOException e) {
      throw new TarnException("the benchmark failed: " + Causes.reason(e), e);
    }
  }
}
