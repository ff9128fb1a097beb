package dev.tarn.serving.ops;

import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;
import java.util.concurrent.atomic.AtomicBoolean;
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

    private final long most;
    private final long others;
    private final long ofConnection;
    private final long needed;

    /**
     * Refuses a lookup.
     *
     * @param most the bytes for all lookups
     * @param others the bytes that other lookups take
     * @param ofConnection those of them that the lookups of the same connection take
     * @param needed the bytes that the lookup needs in all
     * @param need says that in words
     */
    private RefusedException(long most, long others, long ofConnection, long needed, String need) {
      super(message(most, others, ofConnection, needed, need), null, false, false);
      this.most = most;
      this.others = others;
      this.ofConnection = ofConnection;
      this.needed = needed;
    }

    /** Returns whether the lookup would not have found room either if it were the only one. */
    public boolean isTooLarge() {
      return needed > forOne(most);
    }

    /** Returns the bytes that the lookup needs in all, as far as they are known. */
    public long needed() {
      return needed;
    }

    /** Returns the refusal of the same lookup, now that it is known to need about these bytes. */
    public RefusedException needing(long bytes) {
      return new RefusedException(
          most, others, ofConnection, bytes, "about %,d bytes".formatted(bytes));
    }

    private static String message(
        long most, long others, long ofConnection, long needed, String need) {
      if (needed > forOne(most)) {
        return "the lookup needs %s of memory, and the server has %,d for one (half of serving.max-in-flight-bytes): ask for fewer ids or features at once"
            .formatted(need, forOne(most));
      }
      if (ofConnection > others / 2) {
        return "the lookup needs %s of memory, and the others of this connection take %,d until their answers are read, of %,d for all (serving.max-in-flight-bytes): read the answers, then try again"
            .formatted(need, ofConnection, most);
      }
      return "the lookup needs %s of memory, and the others under way take %,d of %,d (serving.max-in-flight-bytes): try again later"
          .formatted(need, others, most);
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

  /** Returns the bytes that a lookup can take if it is the only one. */
  private static long forOne(long most) {
    return most / 2;
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
    private final AtomicBoolean isRefused = new AtomicBoolean();
    private volatile long begun;

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
      take(bytes, bytes);
    }

    /**
     * Takes room in addition to what the call has.
     *
     * @param least the bytes without which the call can't go on
     * @param wanted the bytes that spare it to ask again soon
     * @return the bytes that it got
     * @throws RefusedException if the least are not there; the call keeps what it has
     */
    long take(long least, long wanted) {
      long bytes = wanted;
      while (true) {
        long others = used.addAndGet(bytes) - bytes;
        long ofConnection = connection.used.addAndGet(bytes) - bytes;
        long room = (most - others - ofConnection) / 2;
        if (bytes <= room) {
          break;
        }
        give(connection, bytes);
        if (bytes == least) {
          throw refusal(least, others, ofConnection);
        }
        bytes = Math.max(least, room);
      }
      if (taken.addAndGet(bytes) < 0) {
        // Its client is gone, and nobody gives this back later.
        give(connection, bytes);
      }
      return bytes;
    }

    /**
     * Takes the room with which a lookup begins. Of what is only expected it takes a part if that
     * alone would be too much for any lookup: those before it may have needed more.
     *
     * @param bytes the bytes that it needs in any case
     * @param expected the bytes that lookups like it need beside
     * @return the bytes of the expected ones that it got
     * @throws RefusedException if there is none
     */
    long begin(long bytes, long expected) {
      long forExpected = forOne(most) - Math.max(0, taken.get()) - bytes;
      boolean isUsual = expected <= forExpected;
      long wanted = bytes + (isUsual ? expected : Math.max(0, forExpected / 2));
      long least = isUsual ? wanted : bytes;
      try {
        long got = take(least, wanted);
        begun = taken.get();
        return got - bytes;
      } catch (RefusedException e) {
        throw e.needing(e.needed() - least + bytes + expected);
      }
    }

    /** Gives back what was taken after {@link #begin}. */
    void keepBegun() {
      keep(begun);
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
      if (isRefused.compareAndSet(false, true)) {
        refused.increment();
      }
      long own = Math.max(0, taken.get());
      long needed = own + bytes;
      return new RefusedException(
          most, all - own, ofConnection - own, needed, "at least %,d bytes".formatted(needed));
    }
  }
}
