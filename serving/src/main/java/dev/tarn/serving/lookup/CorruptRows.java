package dev.tarn.serving.lookup;

import dev.tarn.row.CorruptRowException;
import dev.tarn.serving.world.Layer;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts the rows that do not decode, and warns of them only now and then: a version that is
 * corrupt as a whole would fill the log. The entity's id stays out of it, as it may be personal;
 * the bucket finds the row.
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
        layer.bucketOf(entityId),
        problem.getMessage(),
        unsaid.getAndSet(0));
  }

  /** How many there were since the start, by feature view. */
  public Map<String, Long> counts() {
    Map<String, Long> sums = new TreeMap<>();
    counts.forEach((view, count) -> sums.put(view, count.sum()));
    return sums;
  }
}
