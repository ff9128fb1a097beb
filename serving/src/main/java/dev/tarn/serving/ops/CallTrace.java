package dev.tarn.serving.ops;

import io.grpc.Status;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/** The spans of one call: its own, and one for each of its reads of Redis. Without entity ids. */
final class CallTrace {

  private static final AttributeKey<String> STATUS = AttributeKey.stringKey("rpc.status_code");
  private static final AttributeKey<Long> ROWS = AttributeKey.longKey("db.operation.batch.size");
  private static final AttributeKey<Long> ENTITIES = AttributeKey.longKey("tarn.entities");
  private static final AttributeKey<String> CALLER = AttributeKey.stringKey("tarn.caller");

  /**
   * What is the server's fault, as OpenTelemetry's conventions have it; the rest is the client's.
   */
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

  /** A thread begins to work on it: until then it was in the queue. */
  void started() {
    call.addEvent("started");
  }

  /**
   * Rows are on their way from Redis.
   *
   * @return the same, to go on from
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

  /** The call has ended. */
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
