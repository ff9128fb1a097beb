package dev.tarn.serving.rpc;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import io.grpc.BindableService;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import java.util.List;

/**
 * The health that gRPC clients and probes ask for. It is NOT_SERVING until {@link #serving}, and
 * again once the server stops.
 *
 * <p>A later outage of Redis leaves it SERVING. The outage strikes all servers alike, and clients
 * fare better with a reason in each answer than with no server at all.
 */
public final class Health {

  /** The services whose health is reported; the empty name is the server as a whole. */
  private static final List<String> NAMES =
      List.of(
          HealthStatusManager.SERVICE_NAME_ALL_SERVICES,
          FeatureStoreServiceGrpc.SERVICE_NAME,
          FeatureStoreGrpc.SERVICE_NAME);

  private final HealthStatusManager manager = new HealthStatusManager();

  /** Creates the health of a server that can't answer lookups yet. */
  public Health() {
    set(ServingStatus.NOT_SERVING);
  }

  /** Says that lookups can be answered; nothing changes if the server stops already. */
  public void serving() {
    set(ServingStatus.SERVING);
  }

  /** Says that the server stops, for good. */
  void stopping() {
    manager.enterTerminalState();
  }

  BindableService service() {
    return manager.getHealthService();
  }

  private void set(ServingStatus status) {
    NAMES.forEach(name -> manager.setStatus(name, status));
  }
}
