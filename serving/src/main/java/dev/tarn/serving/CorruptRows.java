package dev.tarn.serving;

import dev.tarn.row.CorruptRowException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Warns of rows that do not decode, and only now and then: a version that is corrupt as a whole
 * would fill the log. The entity's id stays out of it, as it may be personal; the bucket finds the
 * row.
 */
final class CorruptRows {

  private static final Logger log = LoggerFactory.getLogger(CorruptRows.class);
  private static final long INTERVAL = Duration.ofSeconds(10).toNanos();

  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong unsaid = new AtomicLong();

  void found(String view, Layer layer, byte[] entityId, CorruptRowException problem) {
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
}
