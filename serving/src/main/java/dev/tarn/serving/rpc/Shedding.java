package dev.tarn.serving.rpc;

import dev.tarn.serving.ops.CallRecord;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/** Refuses the calls that came while too many were under way, before anything is done for them. */
final class Shedding implements ServerInterceptor {

  private final int maxInFlight;

  Shedding(int maxInFlight) {
    this.maxInFlight = maxInFlight;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    if (CallRecord.current().filter(CallRecord::isShed).isEmpty()) {
      return next.startCall(call, headers);
    }
    call.close(Failures.tooMany(maxInFlight), new Metadata());
    return new ServerCall.Listener<>() {};
  }
}
