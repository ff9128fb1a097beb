package dev.tarn.serving.ops;

import dev.tarn.serving.ops.InFlightBytes.RefusedException;
import dev.tarn.serving.ops.Metrics.Stage;
import io.grpc.Context;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Records one call, from its arrival from the network, before any thread works on it, until its
 * stream is closed. Code that works on the call finds the record in the gRPC context.
 */
public final class CallRecord extends ServerStreamTracer {

  private static final Context.Key<CallRecord> KEY = Context.key("tarn-call");

  /** The memory that any call takes, apart from its request, its rows and its answer. */
  private static final int OWN_BYTES = 4_096;

  /** The bytes up to which a call takes no memory of its own for its request, as most never do. */
  private static final int SMALL_REQUEST = 16_384;

  /** A difference that is not worth giving back before the call ends. */
  private static final int SMALL_REST = 65_536;

  private final String method;
  private final Metrics metrics;
  private final InFlight inFlight;
  private final AccessLog accessLog;
  private final Optional<CallTrace> trace;
  private final boolean isShed;
  private final InFlightBytes.Call memory;

  /**
   * Counts what keeps the lookup under way: its work, and each batch that Redis has not answered.
   */
  private final AtomicInteger work = new AtomicInteger(1);

  private final AtomicBoolean isWorkDone = new AtomicBoolean();

  /** Counts what keeps the memory: the stream, and each batch that Redis has not answered. */
  private final AtomicInteger holds = new AtomicInteger(1);

  /** The bytes of the request so far, and those for which memory is taken; for one thread. */
  private long received;

  private long receivedTaken = SMALL_REQUEST;
  private Consumer<RefusedException> onRefused = refused -> {};

  private final long arrived = System.nanoTime();
  private volatile long fetched = arrived;
  private volatile long decoded = arrived;
  private volatile int entities;
  private volatile Optional<Instant> staleSince = Optional.empty();
  private volatile String caller = "";
  private volatile boolean isFailing;

  CallRecord(
      String method,
      Metrics metrics,
      InFlight inFlight,
      InFlightBytes inFlightBytes,
      AccessLog accessLog,
      Optional<CallTrace> trace) {
    this.method = method;
    this.metrics = metrics;
    this.inFlight = inFlight;
    this.accessLog = accessLog;
    this.trace = trace;
    memory = inFlightBytes.newCall();
    isShed = !inFlight.enter();
  }

  /** Returns the record of the call that this thread works on; empty if that is no lookup. */
  public static Optional<CallRecord> current() {
    return Optional.ofNullable(KEY.get());
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(KEY, this);
  }

  @Override
  public void serverCallStarted(ServerCallInfo<?, ?> call) {
    memory.comesOver(call.getAttributes());
  }

  /**
   * Sets what ends the call if there is no memory for its request, which may be before the request
   * is whole.
   */
  public void onRefused(Consumer<RefusedException> end) {
    onRefused = end;
  }

  @Override
  public void inboundWireSize(long bytes) {
    received += bytes;
    if (received > receivedTaken) {
      // Twice as much each time, as this is called for each read of the network.
      try {
        memory.take(receivedTaken);
        receivedTaken *= 2;
      } catch (RefusedException e) {
        receivedTaken = Long.MAX_VALUE;
        onRefused.accept(e);
      }
    }
  }

  /**
   * Takes memory for the lookup until the network has taken its answer and Redis has answered.
   *
   * @param least the bytes without which it can't go on
   * @param wanted the bytes that spare it to ask again soon
   * @return the bytes that it got
   * @throws RefusedException if the least are not there
   */
  public long takes(long least, long wanted) {
    return memory.take(least, wanted);
  }

  /**
   * Takes memory for rows as {@link #takes} does. If it is refused, it gives back what it had for
   * them beyond what the lookup began with.
   */
  public long takesForRows(long least, long wanted) {
    try {
      return memory.take(least, wanted);
    } catch (RefusedException e) {
      memory.keepBegun();
      throw e;
    }
  }

  /**
   * Takes memory for the beginning of a lookup.
   *
   * @param bytes the bytes that it needs in any case, beside those of any call
   * @param expected the bytes that it needs as well if it is like those before it
   * @return the expected bytes that it got: all, or a part where they are more than any lookup gets
   * @throws RefusedException if there is none
   */
  public long begins(long bytes, long expected) {
    return memory.begin(OWN_BYTES + bytes, expected);
  }

  /** Gives memory back, except that of an answer of this size, which is on its way. */
  public void keeps(long answerBytes) {
    memory.keep(OWN_BYTES + answerBytes + SMALL_REST);
  }

  /** Returns whether too many calls were under way when this one came. */
  public boolean isShed() {
    return isShed;
  }

  public void calledBy(String caller) {
    this.caller = caller;
  }

  public void asks(int entities) {
    this.entities = entities;
  }

  /** Notes that the answer comes from memory, because Redis can't be read since then. */
  public void isStaleSince(Instant since) {
    staleSince = Optional.of(since);
  }

  public Optional<Instant> staleSince() {
    return staleSince;
  }

  /** Notes that a thread begins to work on the call. */
  public void started() {
    long now = System.nanoTime();
    fetched = now;
    metrics.took(Stage.QUEUE, now - arrived);
    trace.ifPresent(CallTrace::started);
  }

  /**
   * Notes a batch on its way to Redis. The call counts as under way until Redis has answered, even
   * if the client cancels it: calls with short deadlines must not pile up before a Redis that
   * hangs. Its memory is held until {@link #tookUp} or the batch's failure, for the same reason.
   *
   * @param rows the number of rows in the batch
   * @return a future that completes after the answer was noted
   */
  public <T> CompletableFuture<T> fetching(int rows, CompletableFuture<T> batch) {
    long sent = System.nanoTime();
    work.incrementAndGet();
    holds.incrementAndGet();
    CompletableFuture<T> traced = trace.isEmpty() ? batch : trace.get().reading(rows, batch);
    return traced.whenComplete(
        (filled, failure) -> {
          long now = System.nanoTime();
          fetched = now;
          metrics.took(Stage.REDIS, now - sent);
          endWork();
          if (failure != null) {
            endHold();
          }
        });
  }

  /** Notes that a thread begins to make the answer from a batch's rows. */
  public void tookUp() {
    endHold();
  }

  /** Notes that the answer was made from the rows; it is not sent yet. */
  public void decoded() {
    long now = System.nanoTime();
    metrics.took(Stage.DECODE, now - fetched);
    decoded = now;
  }

  /**
   * Notes that the answer is on its way to the client. From now on the call is not under way any
   * more: it only takes memory, for as long as the client does not read.
   */
  public void encoded() {
    metrics.took(Stage.ENCODE, System.nanoTime() - decoded);
    workDone();
  }

  /** Notes that the answer is a failure. */
  public void failing() {
    isFailing = true;
  }

  @Override
  public void streamClosed(Status status) {
    // gRPC says UNAVAILABLE for a client that is gone; only a failure of the server means that
    // here.
    Code code =
        status.getCode() == Code.UNAVAILABLE && !isFailing ? Code.CANCELLED : status.getCode();
    long nanos = System.nanoTime() - arrived;
    metrics.ended(method, code, nanos);
    accessLog.ended(method, code, entities, caller, nanos);
    trace.ifPresent(spans -> spans.ended(code, entities, caller));
    workDone();
    endHold();
  }

  private void workDone() {
    if (isWorkDone.compareAndSet(false, true)) {
      endWork();
    }
  }

  private void endWork() {
    if (work.decrementAndGet() == 0 && !isShed) {
      inFlight.leave();
    }
  }

  private void endHold() {
    if (holds.decrementAndGet() == 0) {
      memory.end();
    }
  }
}
