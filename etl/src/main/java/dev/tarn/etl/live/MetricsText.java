package dev.tarn.etl.live;

import dev.tarn.row.Values;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/** Writes the metrics of the live job in the text format of Prometheus. */
final class MetricsText {

  private final StringBuilder out = new StringBuilder();

  private MetricsText() {}

  static String of(List<Follower> followers) {
    MetricsText text = new MetricsText();
    text.write(followers);
    return text.out.toString();
  }

  private void write(List<Follower> followers) {
    long now = Values.micros(Instant.now());
    perView(followers, "events_total", "counter", "Events applied.", ViewMetrics::events);
    perView(
        followers,
        "late_total",
        "counter",
        "Events applied whose time was more than live.late-after ago.",
        ViewMetrics::late);
    perView(
        followers,
        "without_key_total",
        "counter",
        "Events that belong to no entity, since they lack a key.",
        ViewMetrics::eventsWithoutKey);
    perView(
        followers,
        "conflicts_total",
        "counter",
        "Entries that somebody else had changed, so that they were read again.",
        ViewMetrics::conflicts);
    perView(
        followers,
        "swept_total",
        "counter",
        "Entries removed or made smaller in the background.",
        ViewMetrics::sweptEntries);
    perView(
        followers,
        "cached_entities",
        "gauge",
        "Entities whose cells are kept in memory.",
        ViewMetrics::cachedEntities);
    perView(
        followers,
        "cached_bytes",
        "gauge",
        "Memory that they take, about.",
        ViewMetrics::cachedBytes);
    perSource(
        followers,
        "rejected_total",
        "counter",
        "Messages that can't be decoded.",
        SourceMetrics::rejectedMessages);
    perSource(
        followers,
        "repeated_total",
        "counter",
        "Events that repeat another one.",
        SourceMetrics::repeatedEvents);
    perSource(
        followers,
        "rebalances_total",
        "counter",
        "Times that partitions were divided anew.",
        SourceMetrics::rebalances);
    perSource(
        followers,
        "errors_total",
        "counter",
        "Times that something went wrong; /health has the last one.",
        SourceMetrics::troubles);
    perSource(
        followers,
        "last_error_timestamp_seconds",
        "gauge",
        "When something went wrong last; 0: never.",
        source ->
            source.lastTrouble().map(trouble -> trouble.at().toEpochMilli() / 1e3).orElse(0.0));
    head("lag_offsets", "gauge", "Offsets of a partition that are not applied yet.");
    places(followers, "lag_offsets", place -> place.lag());
    head("lag_seconds", "gauge", "Time since which a partition may not be applied.");
    places(
        followers,
        "lag_seconds",
        place -> place.through() == 0 ? Double.POSITIVE_INFINITY : (now - place.through()) / 1e6);
    writes(followers);
  }

  private void head(String name, String type, String help) {
    out.append(
        "# HELP tarn_live_%s %s\n# TYPE tarn_live_%s %s\n".formatted(name, help, name, type));
  }

  private void perView(
      List<Follower> followers,
      String name,
      String type,
      String help,
      ToLongFunction<ViewMetrics> value) {
    head(name, type, help);
    for (Follower follower : followers) {
      new TreeMap<>(follower.metrics().views())
          .forEach(
              (view, metrics) ->
                  line(name, "view=\"%s\"".formatted(view), (double) value.applyAsLong(metrics)));
    }
  }

  private void perSource(
      List<Follower> followers,
      String name,
      String type,
      String help,
      ToDoubleFunction<SourceMetrics> value) {
    head(name, type, help);
    for (Follower follower : followers) {
      line(name, source(follower), value.applyAsDouble(follower.metrics()));
    }
  }

  private void places(
      List<Follower> followers, String name, ToDoubleFunction<SourceMetrics.Place> value) {
    for (Follower follower : followers) {
      follower
          .metrics()
          .places()
          .forEach(
              (partition, place) ->
                  line(
                      name,
                      source(follower) + ",partition=\"" + partition + "\"",
                      value.applyAsDouble(place)));
    }
  }

  private void writes(List<Follower> followers) {
    head("write_seconds", "histogram", "Time from receiving events until they are in Redis.");
    for (Follower follower : followers) {
      long[] counts = follower.metrics().writes();
      long sum = 0;
      for (int i = 0; i < counts.length; i++) {
        sum += counts[i];
        String bound =
            i < SourceMetrics.BOUNDS.length ? Double.toString(SourceMetrics.BOUNDS[i]) : "+Inf";
        line("write_seconds_bucket", source(follower) + ",le=\"" + bound + "\"", (double) sum);
      }
      line("write_seconds_sum", source(follower), follower.metrics().writeSeconds());
      line("write_seconds_count", source(follower), (double) sum);
    }
  }

  private static String source(Follower follower) {
    return "source=\"%s\"".formatted(follower.source().name());
  }

  private void line(String name, String labels, double value) {
    String number =
        value == Math.rint(value) && Math.abs(value) < 1e15
            ? Long.toString((long) value)
            : value == Double.POSITIVE_INFINITY
                ? "+Inf"
                : String.format(Locale.ROOT, "%.6f", value);
    out.append("tarn_live_%s{%s} %s\n".formatted(name, labels, number));
  }
}
