package dev.tarn.serving;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerStreamTracer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Makes the {@link CallRecord} of each lookup; health checks and reflection have none. */
final class CallRecords extends ServerStreamTracer.Factory {

  private static final ServerStreamTracer NONE = new ServerStreamTracer() {};

  private final Set<String> methods = new HashSet<>();
  private final Metrics metrics;
  private final InFlight inFlight;
  private final AccessLog accessLog;

  CallRecords(
      List<ServerServiceDefinition> services,
      Metrics metrics,
      InFlight inFlight,
      AccessLog accessLog) {
    services.stream()
        .flatMap(service -> service.getServiceDescriptor().getMethods().stream())
        .map(MethodDescriptor::getFullMethodName)
        .forEach(methods::add);
    this.metrics = metrics;
    this.inFlight = inFlight;
    this.accessLog = accessLog;
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
    // Only names that are known: a metric has a series for each.
    return methods.contains(method) ? new CallRecord(method, metrics, inFlight, accessLog) : NONE;
  }
}
