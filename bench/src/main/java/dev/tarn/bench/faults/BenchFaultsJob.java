package dev.tarn.bench.faults;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Deque;
import java.util.List;

/**
 * The command {@code bench faults}: kills, stalls and cuts off pushes, starts two at once, kills
 * and fills up Redis, in an order that a seed gives, while clients look up without a pause and
 * check every answer. After each fault a push must leave nothing but its version. All of it happens
 * on this machine, in a folder, a catalog, a Redis and a lookup server of its own; docs/faults.md
 * has the details.
 */
public final class BenchFaultsJob {

  private final Console console;
  private final long kills;
  private final long minutes;
  private final FaultsReport report;
  private final FaultsStage stage;

  private BenchFaultsJob(
      Console console, long kills, long minutes, FaultsReport report, FaultsStage stage) {
    this.console = console;
    this.kills = kills;
    this.minutes = minutes;
    this.report = report;
    this.stage = stage;
  }

  /** What is tried: pushes, or the way of an event into a live answer. */
  private enum Part {
    PUSHES,
    LIVE
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    if (line.choice("part", Part.class, Part.PUSHES) == Part.LIVE) {
      runLive(line, given, console);
    } else {
      runPushes(line, given, console);
    }
  }

  private static void runLive(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    Path folder = given.state().resolve("bench").resolve("faults-live").toAbsolutePath();
    FaultsReport report = new FaultsReport();
    try {
      LiveFaults.run(line, given, console, report, folder);
    } catch (IOException e) {
      throw new TarnException(
          "the faults could not be tried in %s: %s".formatted(folder, Causes.reason(e)), e);
    }
    end(report, console, asJson, LiveFaults.logFile(folder));
  }

  private static void runPushes(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    long kills = line.number("kills", 1, 100);
    long minutes = line.number("minutes", 1, 30);
    long seed = line.number("seed", 0, 1);
    FaultsReport report = new FaultsReport();
    FaultsStage stage = new FaultsStage(given, console, seed, report);
    Runtime.getRuntime().addShutdownHook(new Thread(stage::close, "end"));
    try {
      stage.prepare();
      new BenchFaultsJob(console, kills, minutes, report, stage).run();
    } catch (IOException e) {
      throw new TarnException(
          "the faults could not be tried in %s: %s".formatted(stage.folder(), Causes.reason(e)), e);
    } finally {
      stage.close();
    }
    end(report, console, asJson, stage.logFile());
  }

  /** Prints what was done and found, and fails if anything was that must not be. */
  private static void end(FaultsReport report, Console console, boolean asJson, Path log) {
    report.print(console, asJson);
    List<String> findings = report.findings();
    if (!findings.isEmpty()) {
      throw new TarnException(
          "what must not happen did: %s. %s has the details; the same seed= makes the same faults again"
              .formatted(String.join("; ", findings), log));
    }
  }

  private void run() throws IOException {
    Instant start = Instant.now();
    report.did(Fault.KILL.label(), 0);
    Deque<Fault> plan = Fault.plan(kills, stage.random());
    int tried = 0;
    int all = plan.size();
    while (!plan.isEmpty() && tried < 3 * all) {
      if (Duration.between(start, Instant.now()).toMinutes() >= minutes) {
        console.say("%d minutes are over (minutes=…), %d faults are left", minutes, plan.size());
        break;
      }
      Fault fault = plan.remove();
      tried++;
      console.progress("fault %d, %d to go: %s", tried, plan.size(), fault.label());
      if (!round(fault)) {
        // It came too late, when the push was done already.
        plan.add(fault);
      }
    }
    Lookups lookups = stage.lookups();
    lookups.close();
    report.did("answers checked", lookups.answers());
    report.did("entities in them", lookups.entities());
    report.did("errors while Redis was away", lookups.errorsInOutages());
    report.did("seconds", Duration.between(start, Instant.now()).toSeconds());
    report.mustBeNone("wrong or mixed answers", lookups.wrong());
    report.mustBeNone("errors while Redis was there", lookups.errorsElsewhere());
    report.mustBeNone(FaultsReport.LOST, 0);
    report.mustBeNone("failures without a reason", 0);
    report.mustBeNone("pushes after a fault that failed", 0);
    report.mustBeNone("keys left", 0);
    report.mustBeNone("leases left", 0);
    report.mustBeNone("tags left", 0);
  }

  /** Makes one fault, and a push that must put everything right; false: the fault came too late. */
  private boolean round(Fault fault) throws IOException {
    boolean isSmall = stage.random().nextInt(5) < 2;
    long released = stage.released().getSnapshotId();
    long wanted = stage.build(isSmall ? 0.03 : 1);
    long bytes = isSmall ? stage.deltaBytes() : stage.fullBytes();
    FaultMaker.Result result = new FaultMaker(stage).make(fault, released, wanted, bytes);
    Aftermath aftermath = new Aftermath(stage);
    aftermath.checkReleased(fault, result.allowed());
    aftermath.putRight();
    if (result.happened()) {
      report.did(fault.label(), 1);
    }
    return result.happened();
  }
}
