package dev.tarn.serving.ops;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerStreamTracer;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Makes the {@link CallRecord} of each lookup; health checks and reflection have none. */
public final class CallRecords extends ServerStreamTracer.Factory {

  private static final ServerStreamTracer NONE = new ServerStreamTracer() {};

  private final Set<String> methods = new HashSet<>();
  private final Metrics metrics;
  private final InFlight inFlight;
  private final AccessLog accessLog;
  private final Optional<Tracing> tracing;

  public CallRecords(
      List<ServerServiceDefinition> services,
      Metrics metrics,
      InFlight inFlight,
      AccessLog accessLog,
      Optional<Tracing> tracing) {
    services.stream()
        .flatMap(service -> service.getServiceDescriptor().getMethods().stream())
        .map(MethodDescriptor::getFullMethodName)
        .forEach(methods::add);
    this.metrics = metrics;
    this.inFlight = inFlight;
    this.accessLog = accessLog;
    this.tracing = tracing;
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
    // Only names that are known: a metric has a series for each.
    if (!methods.contains(method)) {
      return NONE;
    }
    Optional<CallTrace> trace = tracing.map(on -> on.begin(method, headers));
    return new CallRecord(method, metrics, inFlight, accessLog, trace);
  }
}
