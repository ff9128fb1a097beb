package dev.tarn.serving.lookup;

import dev.tarn.layer.Layer;
import dev.tarn.row.CorruptRowException;
import dev.tarn.serving.ops.Metrics;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the rows that do not decode, and logs a warning at most every ten seconds: a version that
 * is corrupt as a whole would fill the log. The warning names the bucket, which is enough to find
 * the row, and not the entity's id, which may be personal.
 */
public final class CorruptRows {

  private static final Logger log = LoggerFactory.getLogger(CorruptRows.class);
  private static final long INTERVAL = Duration.ofSeconds(10).toNanos();

  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong unsaid = new AtomicLong();
  private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();

  void found(String view, Layer layer, byte[] entityId, CorruptRowException problem) {
    counts.computeIfAbsent(view, name -> new LongAdder()).increment();
    long now = System.nanoTime();
    long due = next.get();
    if (now - due < 0 || !next.compareAndSet(due, now + INTERVAL)) {
      unsaid.incrementAndGet();
      return;
    }
    log.warn(
        "feature view '{}', version '{}': a row in bucket {} is corrupt ({}) and is answered as"
            + " NOT_FOUND; {} more since the last warning",
        view,
        layer.version(),
        layer.buckets().of(entityId),
        problem.getMessage(),
        unsaid.getAndSet(0));
  }

  /** Adds the metric of these rows. */
  public void register(Metrics metrics) {
    metrics.counters(
        "tarn_corrupt_rows_total",
        "Rows that did not decode and were answered as NOT_FOUND",
        List.of("feature_view"),
        counter -> counts().forEach((view, count) -> counter.set(count, view)));
  }

  /** Returns how many there were since the start, by feature view. */
  Map<String, Long> counts() {
    Map<String, Long> sums = new TreeMap<>();
    counts.forEach((view, count) -> sums.put(view, count.sum()));
    return sums;
  }
}
