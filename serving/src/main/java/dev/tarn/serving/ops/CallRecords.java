package dev.tarn.serving.ops;

import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerStreamTracer;
import io.grpc.ServiceDescriptor;
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
  private final InFlightBytes inFlightBytes;
  private final AccessLog accessLog;
  private final Optional<Tracing> tracing;

  /**
   * Makes the records of calls to some services.
   *
   * @param services the services whose calls are lookups
   */
  public CallRecords(
      List<ServiceDescriptor> services,
      Metrics metrics,
      InFlight inFlight,
      InFlightBytes inFlightBytes,
      AccessLog accessLog,
      Optional<Tracing> tracing) {
    services.stream()
        .flatMap(service -> service.getMethods().stream())
        .map(MethodDescriptor::getFullMethodName)
        .forEach(methods::add);
    this.metrics = metrics;
    this.inFlight = inFlight;
    this.inFlightBytes = inFlightBytes;
    this.accessLog = accessLog;
    this.tracing = tracing;
  }

  @Override
  public ServerStreamTracer newServerStreamTracer(String method, Metadata headers) {
    // Only known names get a record: each name makes a series of a metric.
    if (!methods.contains(method)) {
      return NONE;
    }
    Optional<CallTrace> trace = tracing.map(on -> on.begin(method, headers));
    return new CallRecord(method, metrics, inFlight, inFlightBytes, accessLog, trace);
  }
}
