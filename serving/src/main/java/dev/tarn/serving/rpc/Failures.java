package dev.tarn.serving.rpc;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.Status;
import dev.tarn.cli.Plural;
import dev.tarn.serving.lookup.LookupRefusedException;
import dev.tarn.serving.ops.InFlightBytes;
import dev.tarn.serving.redis.RedisUnavailableException;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns every failure of a call into the gRPC status that the client gets. */
final class Failures {

  private static final Logger log = LoggerFactory.getLogger(Failures.class);

  /** A status travels in HTTP/2 headers, three times over, and clients take 8 KiB of those. */
  private static final int MAX_MESSAGE = 1_000;

  private Failures() {}

  /**
   * Returns the status of any failure. An unforeseen one is logged here and hidden from clients.
   */
  static StatusRuntimeException of(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    if (cause instanceof StatusRuntimeException status) {
      return status;
    }
    if (cause instanceof LookupRefusedException refused) {
      return of(refused);
    }
    if (cause instanceof InFlightBytes.RefusedException refused) {
      return refused.isTooLarge()
          ? invalid("entity_ids", refused.getMessage())
          : status(io.grpc.Status.RESOURCE_EXHAUSTED, refused.getMessage());
    }
    if (cause instanceof RedisUnavailableException redis) {
      return status(io.grpc.Status.UNAVAILABLE, redis.getMessage());
    }
    if (cause instanceof CancellationException) {
      return io.grpc.Status.CANCELLED.asRuntimeException();
    }
    log.error("a call failed unexpectedly", cause);
    return io.grpc.Status.INTERNAL
        .withDescription("unexpected failure; the server's log has it")
        .asRuntimeException();
  }

  private static StatusRuntimeException of(LookupRefusedException refused) {
    String message = refused.getMessage();
    return switch (refused.reason()) {
      case INVALID -> invalid(refused.field(), cut(message));
      case DENIED -> status(io.grpc.Status.PERMISSION_DENIED, refused.field() + ": " + message);
      case NOT_READY -> status(io.grpc.Status.FAILED_PRECONDITION, message);
      case UNAVAILABLE -> status(io.grpc.Status.UNAVAILABLE, message);
    };
  }

  /** Names the field in the message and in a {@code google.rpc.BadRequest}. */
  private static StatusRuntimeException invalid(String field, String problem) {
    BadRequest detail =
        BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder().setField(field).setDescription(problem))
            .build();
    return StatusProto.toStatusRuntimeException(
        Status.newBuilder()
            .setCode(Code.INVALID_ARGUMENT_VALUE)
            .setMessage(field + ": " + problem)
            .addDetails(Any.pack(detail))
            .build());
  }

  /**
   * Ends a call that nobody waits for any more, so that it costs Redis nothing.
   *
   * @throws StatusRuntimeException DEADLINE_EXCEEDED or CANCELLED
   */
  static void requireTime(Context call) {
    Deadline deadline = call.getDeadline();
    if (deadline != null && deadline.isExpired()) {
      throw io.grpc.Status.DEADLINE_EXCEEDED
          .withDescription("the deadline was over before the server could begin")
          .asRuntimeException();
    }
    if (call.isCancelled()) {
      throw io.grpc.Status.CANCELLED.asRuntimeException();
    }
  }

  /** Returns INVALID_ARGUMENT, for a request that is no message of the method. */
  static io.grpc.Status broken(String method, String message) {
    return io.grpc.Status.INVALID_ARGUMENT.withDescription(
        "the request of %s is no %s: its bytes are not that protobuf message, as of a client with another .proto file"
            .formatted(method, message));
  }

  /** Returns RESOURCE_EXHAUSTED, for a call beyond {@code serving.max-in-flight}. */
  static io.grpc.Status tooMany(int maxInFlight) {
    return io.grpc.Status.RESOURCE_EXHAUSTED.withDescription(
        "the server has %s under way and takes no more (serving.max-in-flight): try again later"
            .formatted(Plural.of(maxInFlight, "call")));
  }

  private static StatusRuntimeException status(io.grpc.Status status, String message) {
    return status.withDescription(cut(message)).asRuntimeException();
  }

  private static String cut(String text) {
    return text.length() <= MAX_MESSAGE ? text : text.substring(0, MAX_MESSAGE) + "…";
  }
}
