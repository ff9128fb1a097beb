package dev.tarn.serving.rpc;

import com.google.protobuf.MessageLite;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.ops.CallRecord;
import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** Ends calls with the message or the failure of a future. */
final class Replies {

  private Replies() {}

  /**
   * Sends the result of the work when it is there. If the client cancels the call, or its deadline
   * is over, the work is cancelled.
   */
  static <T> void send(StreamObserver<T> observer, Supplier<CompletableFuture<T>> work) {
    ServerCallStreamObserver<T> call = (ServerCallStreamObserver<T>) observer;
    Optional<CallRecord> record = CallRecord.current();
    record.ifPresent(CallRecord::started);
    CompletableFuture<T> reply;
    try {
      Failures.requireTime(Context.current());
      reply = work.get();
    } catch (RuntimeException e) {
      record.ifPresent(CallRecord::failing);
      call.onError(Failures.of(e));
      return;
    }
    call.setOnCancelHandler(() -> reply.cancel(false));
    var unused =
        reply.whenComplete(
            (message, failure) -> {
              if (call.isCancelled()) {
                return;
              }
              if (failure != null) {
                record.ifPresent(CallRecord::failing);
                call.onError(Failures.of(failure));
                return;
              }
              record.ifPresent(CallRecord::decoded);
              call.onNext(message);
              call.onCompleted();
              record.ifPresent(CallRecord::encoded);
              record.ifPresent(it -> it.keeps(size(message)));
            });
  }

  private static int size(Object message) {
    return message instanceof WireBuffer bytes
        ? bytes.size()
        : ((MessageLite) message).getSerializedSize();
  }
}
