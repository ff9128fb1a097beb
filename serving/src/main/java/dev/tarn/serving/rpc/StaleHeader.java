package dev.tarn.serving.rpc;

import dev.tarn.serving.ops.CallRecord;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import java.util.Optional;

/** Marks stale answers in their headers, because the older service has no field for it. */
public final class StaleHeader implements ServerInterceptor {

  public static final Metadata.Key<String> STALE_SINCE =
      Metadata.Key.of("tarn-stale-since", Metadata.ASCII_STRING_MARSHALLER);

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Optional<CallRecord> record = CallRecord.current();
    return next.startCall(
        new SimpleForwardingServerCall<>(call) {
          @Override
          public void sendHeaders(Metadata answer) {
            record
                .flatMap(CallRecord::staleSince)
                .ifPresent(since -> answer.put(STALE_SINCE, since.toString()));
            super.sendHeaders(answer);
          }
        },
        headers);
  }
}
