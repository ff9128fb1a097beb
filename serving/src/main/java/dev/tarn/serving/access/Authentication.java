package dev.tarn.serving.access;

import dev.tarn.serving.ops.CallRecord;
import io.grpc.Attributes;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthGrpc;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Finds the caller of each call, by the call's token or by its connection's certificate, and
 * refuses a call without one. If there is a token, only the token counts. Health checks are open to
 * all, because probes have no secrets.
 */
final class Authentication implements ServerInterceptor {

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
  private static final String BEARER = "Bearer ";

  private final Supplier<Callers> callers;

  Authentication(Supplier<Callers> callers) {
    this.callers = callers;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    if (HealthGrpc.SERVICE_NAME.equals(call.getMethodDescriptor().getServiceName())) {
      return next.startCall(call, headers);
    }
    String authorization = headers.get(AUTHORIZATION);
    Optional<Caller> caller =
        authorization == null
            ? callers.get().byCertificate(certificateNames(call.getAttributes()))
            : byToken(authorization);
    if (caller.isEmpty()) {
      call.close(
          Status.UNAUTHENTICATED.withDescription(
              authorization == null
                  ? "who calls? send 'authorization: Bearer <token>', or connect with a certificate"
                      + " of a caller"
                  : "the token in 'authorization: Bearer <token>' is no caller's"),
          new Metadata());
      return new ServerCall.Listener<>() {};
    }
    CallRecord.current().ifPresent(record -> record.calledBy(caller.get().name()));
    return Contexts.interceptCall(caller.get().in(Context.current()), call, headers, next);
  }

  private Optional<Caller> byToken(String authorization) {
    return authorization.regionMatches(true, 0, BEARER, 0, BEARER.length())
        ? callers.get().byToken(authorization.substring(BEARER.length()).strip())
        : Optional.empty();
  }

  private static Set<String> certificateNames(Attributes connection) {
    Set<String> names = connection.get(CertificateNames.ATTRIBUTE);
    return names == null ? Set.of() : names;
  }
}
