package dev.tarn.bench.law;

import dev.tarn.bench.stream.AskedAgain;
import dev.tarn.bench.stream.Askers;
import dev.tarn.bench.stream.Checker;
import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.stream.PaymentStream;
import dev.tarn.bench.stream.Payments;
import dev.tarn.bench.stream.StampedClient;
import dev.tarn.bench.stream.Traffic;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.Figures;
import dev.tarn.bench.testbed.JobProcess;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import io.grpc.Status;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The command {@code bench laws}: asks for live features while payments flow, a tenth of them late
 * and some repeated, and while views are pushed and rolled back. Each answer is compared with the
 * value that its stamp says, which is computed by brute force from the topic; in the end all
 * stamped answers are asked again from Iceberg.
 */
public final class BenchLawsJob {

  private static final int PARTITIONS = 3;
  private static final double LATE = 0.1;
  private static final double AHEAD = 0.005;
  private static final double REPEATED = 0.05;
  private static final int ARCHIVE_MILLIS = 5_000;
  private static final long PATIENCE_SECONDS = 300;

  private final LivePlace place;
  private final Console console;
  private final Path folder;
  private final int users;
  private final long rate;
  private final Figures figures = new Figures();
  private final AtomicLong errors = new AtomicLong();
  private final PrintStream log;

  private BenchLawsJob(
      LivePlace place, Console console, Path folder, int users, long rate, PrintStream log) {
    this.place = place;
    this.console = console;
    this.folder = folder;
    this.users = users;
    this.rate = rate;
    this.log = log;
  }

  /** Runs the command. */
  public static void run(CommandLine line, Settings given, Console console) {
    boolean asJson = line.isJson();
    long answers = line.number("answers", 0, 1_000_000);
    long swaps = line.number("swaps", 0, 200);
    int users = (int) line.number("entities", 1, 5_000);
    long rate = line.number("rate", 1, 2_000);
    Path folder = given.state().resolve("bench").resolve("laws").toAbsolutePath();
    BenchLawsJob job;
    Path logFile = folder.resolve("laws.log");
    try {
      LivePlace.clear(folder);
      LiveViews.defineLaws(folder.resolve("features"));
      try (PrintStream log = new PrintStream(logFile.toFile(), StandardCharsets.UTF_8);
          BenchRedis redis = BenchRedis.start(folder.resolve("redis"));
          LivePlace place =
              LivePlace.start(given, console, folder, redis.port(), PARTITIONS, List.of())) {
        Thread end = new Thread(place::close, "end");
        Runtime.getRuntime().addShutdownHook(end);
        job = new BenchLawsJob(place, console, folder, users, rate, log);
        job.run(answers, swaps);
        Runtime.getRuntime().removeShutdownHook(end);
      }
    } catch (IOException e) {
      throw new TarnException(
          "the laws could not be tried in %s: %s".formatted(folder, Causes.reason(e)), e);
    }
    job.figures.print(console, asJson);
    List<String> broken = job.figures.missed();
    if (!broken.isEmpty()) {
      throw new TarnException(
          "a law is broken: %s. %s has the details".formatted(String.join("; ", broken), logFile));
    }
  }

  private void run(long answers, long swaps) throws IOException {
    PaymentStream stream =
        new PaymentStream(
            place.topic(), new Payments.Shape(users, LATE, AHEAD), REPEATED, 20261130);
    for (int i = 0; i < 5 * users; i++) {
      stream.send();
    }
    place.topic().flush();
    place.archive();
    place.push(LiveViews.LAWS);
    JobProcess live = place.live("live", LiveViews.LAWS);
    int port = place.server(0).port();
    AskedAgain again = new AskedAgain(place, folder);
    try (Checker checker = Checker.start(place.topic(), this::note);
        StampedClient client = new StampedClient(port)) {
      place.awaitApplied(LiveViews.LAWS, live, PATIENCE_SECONDS);
      try (Traffic payments = Traffic.start((double) rate, stream::send)) {
        if (answers > 0) {
          ask(client, checker, again, answers);
        }
        if (swaps > 0) {
          swap(client, checker, swaps, live);
        }
        figures.add("payments sent, with repetitions", payments.count());
      }
      place.topic().flush();
      place.awaitApplied(LiveViews.LAWS, live, PATIENCE_SECONDS);
      checker.settle();
      figures.add("answers compared with brute force", checker.checked());
      figures.add("answers that told of lag", checker.lagging());
      figures.add("answers with a wrong bit", checker.wrong(), "= 0");
      figures.add("payments that were repeated", checker.oracle().repeated());
    }
    figures.add("lookups that failed", errors.get(), "= 0");
    if (answers > 0) {
      place.archive();
      long start = System.nanoTime();
      long differing = again.differing(folder.resolve("again"), this::note);
      double seconds = (System.nanoTime() - start) / 1e9;
      console.say("%,d answers asked again from Iceberg in %.1f s", again.count(), seconds);
      figures.add("answers asked again from Iceberg", again.count());
      figures.add("answers asked again, a second", again.count() / seconds);
      figures.add("answers that Iceberg gives otherwise", differing, "= 0");
    }
  }

  /** Asks under load, while the topic is archived. */
  private void ask(StampedClient client, Checker checker, AskedAgain again, long answers) {
    console.say("%,d answers while %,d payments/s flow", answers, rate);
    try (Askers askers =
        Askers.start(
            client,
            users,
            new Askers.Shape(2, 100, 2),
            answer -> {
              checker.take(answer);
              if (!answer.lags()) {
                again.add(answer);
              }
            },
            this::failed)) {
      long archived = 0;
      while (again.count() < answers) {
        console.progress("%,d of %,d answers", again.count(), answers);
        if (System.nanoTime() - archived > ARCHIVE_MILLIS * 1_000_000L) {
          place.archive();
          archived = System.nanoTime();
        }
        LivePlace.pause(100);
      }
    }
  }

  /** Pushes and rolls back in turn, while clients ask. */
  private void swap(StampedClient client, Checker checker, long swaps, JobProcess live) {
    console.say("%,d pushes and rollbacks while %,d payments/s flow", swaps, rate);
    long pushes = 0;
    long rollbacks = 0;
    try (Askers askers =
        Askers.start(client, users, new Askers.Shape(2, 20, 5), checker::take, this::failed)) {
      for (long i = 0; i < swaps; i++) {
        console.progress("%,d of %,d pushes and rollbacks", i, swaps);
        live.requireAlive();
        String before = place.released(LiveViews.LAWS).getVersion();
        if (i % 2 == 0) {
          place.archive();
          place.push(LiveViews.LAWS);
        } else {
          place.rollBack(LiveViews.LAWS);
        }
        if (!place.released(LiveViews.LAWS).getVersion().equals(before)) {
          pushes += i % 2 == 0 ? 1 : 0;
          rollbacks += i % 2;
        }
      }
      figures.add("answers during pushes and rollbacks", askers.answers());
      figures.add("counts of all events that went back", askers.back(), "= 0");
    }
    figures.add("pushes that released another version", pushes, "= " + (swaps + 1) / 2);
    figures.add("rollbacks", rollbacks, "= " + swaps / 2);
  }

  private void failed(Status status) {
    errors.incrementAndGet();
    note("a lookup failed: " + status);
  }

  private synchronized void note(String text) {
    log.println(text);
    log.flush();
  }
}
