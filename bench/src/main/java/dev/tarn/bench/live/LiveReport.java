package dev.tarn.bench.live;

import dev.tarn.bench.testbed.Figures;
import dev.tarn.etl.console.Console;

/** Collects the figures, with their aims. */
final class LiveReport {

  private final LiveSizes sizes;
  private final Figures figures = new Figures();

  LiveReport(LiveSizes sizes) {
    this.sizes = sizes;
  }

  /** The freshness at the rates that have aims. */
  void fresh(Freshness.Result slow, Freshness.Result fast) {
    String what = "event → in the answer, ms, %,d events/s: ".formatted(sizes.rate());
    figures.add(what + "p50", slow.p(0.5), "<= 20");
    figures.add(what + "p99", slow.p(0.99), "<= 100");
    what = "event → in the answer, ms, %,d events/s: ".formatted(sizes.fasterRate());
    figures.add(what + "p50", fast.p(0.5));
    figures.add(what + "p99", fast.p(0.99), "<= 250");
  }

  void saturation(double applied, double counted) {
    figures.add("saturation, events/s", applied);
    figures.add("a consumer that only counts, events/s", counted);
    figures.add("saturation ÷ a consumer that only counts", applied / counted, ">= 0.2");
  }

  void catchUp(double perSecond, double startSeconds) {
    figures.add("catch-up after a stop, events/s", perSecond, ">= 50000");
    figures.add("start of the live job until it applies, s", startSeconds);
  }

  void rival(Freshness.Result live, Freshness.Result rival, double liveRate, double rivalRate) {
    figures.add("Spark's foreachBatch, freshness p99, ms", rival.p(0.99));
    figures.add("Spark's foreachBatch, catch-up, events/s", rivalRate);
    figures.add("Spark's foreachBatch ÷ live, freshness p99", rival.p(0.99) / live.p(0.99), ">= 5");
    figures.add("live ÷ Spark's foreachBatch, catch-up", liveRate / rivalRate, ">= 1");
  }

  void lookups(double live, double built) {
    figures.add("lookups of 1 × 10 live features, requests/s", live);
    figures.add("lookups of 1 × 10 batch features, requests/s", built);
    figures.add("live ÷ batch", live / built, ">= 0.6");
  }

  /** The memory of an entity in Redis, by part. */
  void bytes(CellBytes live, CellBytes base) {
    String what =
        "bytes an entity with %d events in five windows: ".formatted(LiveSizes.EVENTS_OF_ENTITY);
    figures.add(what + "live, in Redis", live.inRedis(), "<= 400");
    figures.add(what + "live, token", live.token());
    figures.add(what + "live, cells", live.cells());
    figures.add(what + "live, entity id", live.id());
    figures.add(what + "live, Redis's own", live.own());
    figures.add(what + "base, in Redis", base.inRedis());
    figures.add(what + "base, row with cells", base.cells());
  }

  void hot(HotEntity.Result hot) {
    String what =
        "one entity with %,d events/s for %d s: ".formatted(sizes.fasterRate(), sizes.seconds());
    figures.add(what + "most bytes of its cells", hot.mostBytes());
    figures.add(what + "bytes of its cells in the last second", hot.lastBytes());
    figures.add(what + "memory of the live job, MB", hot.liveMemory() / 1e6);
    figures.add(what + "sums that are wrong at the end", hot.wrong(), "= 0");
  }

  /** Users whose sums were not right at the end. */
  void wrong(long users) {
    figures.add("wrong sums at the end", users, "= 0");
  }

  void print(Console console, boolean asJson) {
    figures.print(console, asJson);
  }
}
