package dev.tarn.serving.ops;

import dev.tarn.serving.ops.Metrics.Stage;
import io.grpc.Context;
import io.grpc.ServerStreamTracer;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Records one call, from its arrival from the network, before any thread works on it, until its
 * stream is closed. Code that works on the call finds the record in the gRPC context.
 */
public final class CallRecord extends ServerStreamTracer {

  private static final Context.Key<CallRecord> KEY = Context.key("tarn-call");

  private final String method;
  private final Metrics metrics;
  private final InFlight inFlight;
  private final AccessLog accessLog;
  private final Optional<CallTrace> trace;
  private final boolean isShed;

  /** Counts what keeps the call under way: itself, and each batch that Redis has not answered. */
  private final AtomicInteger holds = new AtomicInteger(1);

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
      AccessLog accessLog,
      Optional<CallTrace> trace) {
    this.method = method;
    this.metrics = metrics;
    this.inFlight = inFlight;
    this.accessLog = accessLog;
    this.trace = trace;
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
   * hangs.
   *
   * @param rows the number of rows in the batch
   * @return a future that completes after the answer was noted
   */
  public <T> CompletableFuture<T> fetching(int rows, CompletableFuture<T> batch) {
    long sent = System.nanoTime();
    holds.incrementAndGet();
    CompletableFuture<T> traced = trace.isEmpty() ? batch : trace.get().reading(rows, batch);
    return traced.whenComplete(
        (filled, failure) -> {
          long now = System.nanoTime();
          fetched = now;
          metrics.took(Stage.REDIS, now - sent);
          release();
        });
  }

  /** Notes that the answer was made from the rows; it is not sent yet. */
  public void decoded() {
    long now = System.nanoTime();
    metrics.took(Stage.DECODE, now - fetched);
    decoded = now;
  }

  /** Notes that the answer is on its way to the client. */
  public void encoded() {
    metrics.took(Stage.ENCODE, System.nanoTime() - decoded);
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
    if (!isShed) {
      release();
    }
  }

  private void release() {
    if (holds.decrementAndGet() == 0) {
      inFlight.leave();
    }
  }
}
