package dev.tarn.serving.ops;

import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Bounds the memory of the lookups under way, {@code serving.max-in-flight-bytes}: requests, rows,
 * and answers until the network has taken them. What finds no room is refused at once.
 *
 * <p>The lookups of one connection may take as much as they leave free. So a client that does not
 * read its answers can't take the room of the others: alone it gets half, and of several such
 * clients each gets less. No client has to be told from another for that, and no setting is needed.
 */
public final class InFlightBytes {

  private static final Attributes.Key<Connection> CONNECTION =
      Attributes.Key.create("tarn-in-flight-bytes");

  /**
   * Refuses a lookup, or a part of one, that finds no room. It has no stack trace: it is an
   * ordinary answer, and may come in floods.
   */
  public static final class RefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final boolean isTooLarge;

    private RefusedException(boolean isTooLarge, String message) {
      super(message, null, false, false);
      this.isTooLarge = isTooLarge;
    }

    /** Returns whether the lookup would not have found room either if it were the only one. */
    public boolean isTooLarge() {
      return isTooLarge;
    }
  }

  /** What the lookups of one connection take. */
  static final class Connection {
    private final AtomicLong used = new AtomicLong();
  }

  private final long most;
  private final AtomicLong used = new AtomicLong();
  private final LongAdder refused = new LongAdder();

  /**
   * Creates the room for all lookups.
   *
   * @param most the bytes that they may take together
   */
  public InFlightBytes(long most) {
    this.most = most;
  }

  /** Returns what notes of each connection which one it is. */
  public ServerTransportFilter connections() {
    return new ServerTransportFilter() {
      @Override
      public Attributes transportReady(Attributes attributes) {
        return attributes.toBuilder().set(CONNECTION, new Connection()).build();
      }
    };
  }

  /** Returns the room of a call that has not taken any yet. */
  Call newCall() {
    return new Call();
  }

  /** Adds the metrics of these bytes. */
  public void register(Metrics metrics) {
    metrics.gauge("tarn_in_flight_bytes", "Memory of the lookups under way", used::get);
    metrics.counter(
        "tarn_refused_for_memory_total",
        "Lookups refused because serving.max-in-flight-bytes were taken",
        refused::sum);
  }

  private void give(Connection connection, long bytes) {
    connection.used.addAndGet(-bytes);
    used.addAndGet(-bytes);
  }

  /** What one call takes. Several threads may use it. */
  final class Call {

    /** Stands for a call that has ended, and takes nothing any more. */
    private static final long ENDED = Long.MIN_VALUE / 2;

    private final AtomicLong taken = new AtomicLong();
    private Connection connection = new Connection();

    /** Sets the connection; call it before anything is taken. */
    void comesOver(Attributes attributes) {
      Connection noted = attributes.get(CONNECTION);
      if (noted != null) {
        connection = noted;
      }
    }

    /**
     * Takes room in addition to what the call has.
     *
     * @throws RefusedException if there is none; the call keeps what it has
     */
    void take(long bytes) {
      long all = used.addAndGet(bytes);
      long ofConnection = connection.used.addAndGet(bytes);
      if (ofConnection > most - all) {
        give(connection, bytes);
        refused.increment();
        throw refusal(bytes, all - bytes, ofConnection - bytes);
      }
      if (taken.addAndGet(bytes) < 0) {
        // Its client is gone, and nobody gives this back later.
        give(connection, bytes);
      }
    }

    /** Gives back what is beyond these bytes; does nothing if the call has less. */
    void keep(long bytes) {
      long before = taken.get();
      while (before > bytes && !taken.compareAndSet(before, bytes)) {
        before = taken.get();
      }
      if (before > bytes) {
        give(connection, before - bytes);
      }
    }

    /** Gives all back, for good. */
    void end() {
      long all = taken.getAndSet(ENDED);
      if (all > 0) {
        give(connection, all);
      }
    }

    private RefusedException refusal(long bytes, long all, long ofConnection) {
      long wanted = Math.max(0, taken.get()) + bytes;
      if (wanted > most / 2) {
        return new RefusedException(
            true,
            "the lookup needs %,d bytes of memory, and the server has %,d for one (half of serving.max-in-flight-bytes): ask for fewer ids or features at once"
                .formatted(wanted, most / 2));
      }
      if (ofConnection > all / 2) {
        return new RefusedException(
            false,
            "the lookups of this connection take %,d bytes of memory until their answers are read, of %,d for all (serving.max-in-flight-bytes): read the answers, or ask for fewer at once"
                .formatted(ofConnection, most));
      }
      return new RefusedException(
          false,
          "the lookups under way take %,d of %,d bytes of memory (serving.max-in-flight-bytes): try again later"
              .formatted(all, most));
    }
  }
}
