package dev.tarn.serving.ops;

import io.grpc.Status;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** The spans of one call: its own, and one for each read of Redis. They have no entity ids. */
final class CallTrace {

  private static final AttributeKey<String> STATUS = AttributeKey.stringKey("rpc.status_code");
  private static final AttributeKey<Long> ROWS = AttributeKey.longKey("db.operation.batch.size");
  private static final AttributeKey<Long> ENTITIES = AttributeKey.longKey("tarn.entities");
  private static final AttributeKey<String> CALLER = AttributeKey.stringKey("tarn.caller");

  /** The statuses that are the server's fault by OpenTelemetry's conventions. */
  private static final Set<Status.Code> FAULTS =
      EnumSet.of(
          Status.Code.UNKNOWN,
          Status.Code.DEADLINE_EXCEEDED,
          Status.Code.UNIMPLEMENTED,
          Status.Code.INTERNAL,
          Status.Code.UNAVAILABLE,
          Status.Code.DATA_LOSS);

  private final Tracing tracing;
  private final Span call;

  CallTrace(Tracing tracing, Span call) {
    this.tracing = tracing;
    this.call = call;
  }

  /** Notes that a thread begins to work on the call, which was in the queue until then. */
  void started() {
    call.addEvent("started");
  }

  /**
   * Begins the span of a batch that is on its way to Redis.
   *
   * @return a future that completes after the span has ended
   */
  <T> CompletableFuture<T> reading(int rows, CompletableFuture<T> batch) {
    Span read = tracing.read(call);
    read.setAttribute(ROWS, (long) rows);
    return batch.whenComplete(
        (filled, failure) -> {
          if (failure != null) {
            read.setStatus(StatusCode.ERROR, String.valueOf(failure.getMessage()));
          }
          read.end();
        });
  }

  /** Ends the span of the call. */
  void ended(Status.Code status, int entities, String caller) {
    call.setAttribute(STATUS, status.name());
    call.setAttribute(ENTITIES, (long) entities);
    if (!caller.isEmpty()) {
      call.setAttribute(CALLER, caller);
    }
    if (FAULTS.contains(status)) {
      call.setStatus(StatusCode.ERROR);
    }
    call.end();
  }
}
