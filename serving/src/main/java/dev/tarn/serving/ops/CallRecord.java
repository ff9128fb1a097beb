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
 * What is noted of one call, from the moment at which the network has it, before any thread works
 * on it, until its stream is closed. Whoever works on the call finds it in the gRPC context.
 */
public final class CallRecord extends ServerStreamTracer {

  private static final Context.Key<CallRecord> KEY = Context.key("tarn-call");

  private final String method;
  private final Metrics metrics;
  private final InFlight inFlight;
  private final AccessLog accessLog;
  private final Optional<CallTrace> trace;
  private final boolean isShed;

  /** Those that keep it under way: the call, and each batch that Redis has not answered. */
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

  /** The record of the call that this thread works on; empty for a call that is no lookup. */
  public static Optional<CallRecord> current() {
    return Optional.ofNullable(KEY.get());
  }

  @Override
  public Context filterContext(Context context) {
    return context.withValue(KEY, this);
  }

  /** Whether too many were under way when it came. */
  public boolean isShed() {
    return isShed;
  }

  public void calledBy(String caller) {
    this.caller = caller;
  }

  public void asks(int entities) {
    this.entities = entities;
  }

  /** Its answer comes from memory, as Redis can't be read since then. */
  public void isStaleSince(Instant since) {
    staleSince = Optional.of(since);
  }

  public Optional<Instant> staleSince() {
    return staleSince;
  }

  /** A thread begins to work on it. */
  public void started() {
    long now = System.nanoTime();
    fetched = now;
    metrics.took(Stage.QUEUE, now - arrived);
    trace.ifPresent(CallTrace::started);
  }

  /**
   * Notes a batch on its way to Redis. It counts as under way until Redis has answered, even if the
   * client gave the call up: calls with short deadlines must not pile up before a Redis that hangs.
   *
   * @param rows how many it has
   * @return the same, to go on from
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

  /** Its answer is made of the rows, and not yet sent. */
  public void decoded() {
    long now = System.nanoTime();
    metrics.took(Stage.DECODE, now - fetched);
    decoded = now;
  }

  /** Its answer is on its way. */
  public void encoded() {
    metrics.took(Stage.ENCODE, System.nanoTime() - decoded);
  }

  /** It is answered with a failure. */
  public void failing() {
    isFailing = true;
  }

  @Override
  public void streamClosed(Status status) {
    // Of a client that is gone gRPC says unavailable, as of a Redis that is.
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
