package dev.tarn.serving.rpc;

import com.google.protobuf.Any;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.Status;
import dev.tarn.cli.Suggestion;
import dev.tarn.serving.access.Caller;
import dev.tarn.serving.redis.RedisUnavailableException;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Collection;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Every way in which a call fails, as the gRPC status that the client gets. */
public final class Failures {

  private static final Logger log = LoggerFactory.getLogger(Failures.class);

  /** A status travels in HTTP/2 headers, three times over, and clients take 8 KiB of those. */
  private static final int MAX_MESSAGE = 1_000;

  private static final int MAX_QUOTE = 64;

  private Failures() {}

  /** INVALID_ARGUMENT, with the field in the message and in a google.rpc.BadRequest. */
  public static StatusRuntimeException invalid(String field, String problem) {
    String description = cut(problem, MAX_MESSAGE);
    BadRequest detail =
        BadRequest.newBuilder()
            .addFieldViolations(
                BadRequest.FieldViolation.newBuilder().setField(field).setDescription(description))
            .build();
    return StatusProto.toStatusRuntimeException(
        Status.newBuilder()
            .setCode(Code.INVALID_ARGUMENT_VALUE)
            .setMessage(field + ": " + description)
            .addDetails(Any.pack(detail))
            .build());
  }

  public static StatusRuntimeException unavailable(String message) {
    return io.grpc.Status.UNAVAILABLE
        .withDescription(cut(message, MAX_MESSAGE))
        .asRuntimeException();
  }

  public static StatusRuntimeException failedPrecondition(String message) {
    return io.grpc.Status.FAILED_PRECONDITION
        .withDescription(cut(message, MAX_MESSAGE))
        .asRuntimeException();
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

  /**
   * PERMISSION_DENIED, in the same words whether or not what was asked for exists.
   *
   * @param what such as {@code feature 'n'}, which the caller's own request has
   */
  public static StatusRuntimeException denied(String field, Caller caller, String what) {
    return io.grpc.Status.PERMISSION_DENIED
        .withDescription(
            "%s: caller '%s' may not read %s, if there is such a thing"
                .formatted(field, caller.name(), what))
        .asRuntimeException();
  }

  /** RESOURCE_EXHAUSTED. */
  static StatusRuntimeException tooMany(int underWay) {
    return io.grpc.Status.RESOURCE_EXHAUSTED
        .withDescription(
            "the server has %d calls under way and takes no more (serving.max-in-flight): try again later"
                .formatted(underWay))
        .asRuntimeException();
  }

  /** The status of any failure. One that nobody foresaw is logged here and told to no client. */
  static StatusRuntimeException of(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    if (cause instanceof StatusRuntimeException status) {
      return status;
    }
    if (cause instanceof RedisUnavailableException redis) {
      return unavailable(redis.getMessage());
    }
    if (cause instanceof CancellationException) {
      return io.grpc.Status.CANCELLED.asRuntimeException();
    }
    log.error("a call failed unexpectedly", cause);
    return io.grpc.Status.INTERNAL
        .withDescription("unexpected failure; the server's log has it")
        .asRuntimeException();
  }

  /** A name that came from outside, in quotes, cut if it is longer than names are. */
  public static String quote(String name) {
    return "'" + cut(name, MAX_QUOTE) + "'";
  }

  /** {@link Suggestion#forName}, which would take long for a name that is no name. */
  public static String suggest(String name, Collection<String> known) {
    return name.length() > MAX_QUOTE ? "" : Suggestion.forName(name, known);
  }

  private static String cut(String text, int most) {
    return text.length() <= most ? text : text.substring(0, most) + "…";
  }
}
