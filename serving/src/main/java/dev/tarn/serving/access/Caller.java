package dev.tarn.serving.access;

import dev.tarn.serving.world.ServedView;
import io.grpc.Context;
import io.grpc.Status;
import java.util.Set;

/**
 * Who calls, and what they may read. What is in neither set they may not, nor learn whether it
 * exists.
 *
 * @param views feature views, or {@link #ALL}
 * @param services feature services, or {@link #ALL}; their features may be read as the service has
 *     them, whatever views they are in
 */
public record Caller(String name, Set<String> views, Set<String> services) {

  static final String ALL = "*";

  private static final Context.Key<Caller> KEY = Context.key("tarn-caller");

  public Caller {
    views = Set.copyOf(views);
    services = Set.copyOf(services);
  }

  /**
   * The caller of the call that this thread works on.
   *
   * @throws io.grpc.StatusRuntimeException UNAUTHENTICATED if there is none: whoever forgets to ask
   *     for the caller reads nothing
   */
  public static Caller current() {
    Caller caller = KEY.get();
    if (caller == null) {
      throw Status.UNAUTHENTICATED.withDescription("the call has no caller").asRuntimeException();
    }
    return caller;
  }

  Context in(Context context) {
    return context.withValue(KEY, this);
  }

  public boolean maySee(ServedView view) {
    return views.contains(ALL) || views.contains(view.name());
  }

  public boolean mayUse(String service) {
    return services.contains(ALL) || services.contains(service);
  }
}
