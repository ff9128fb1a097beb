package dev.tarn.serving.rpc;

import dev.tarn.serving.ops.CallRecord;
import dev.tarn.serving.ops.InFlight;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/** Refuses the calls that came while too many were under way, before anything is done for them. */
public final class Shedding implements ServerInterceptor {

  private final InFlight inFlight;

  public Shedding(InFlight inFlight) {
    this.inFlight = inFlight;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    if (CallRecord.current().filter(CallRecord::isShed).isEmpty()) {
      return next.startCall(call, headers);
    }
    call.close(Failures.tooMany(inFlight.most()).getStatus(), new Metadata());
    return new ServerCall.Listener<>() {};
  }
}
