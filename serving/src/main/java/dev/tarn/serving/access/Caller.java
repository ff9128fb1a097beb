package dev.tarn.serving.access;

import io.grpc.Context;
import io.grpc.Status;
import java.util.Set;

/**
 * A caller and what it may read. It may not read anything else, nor learn whether that exists.
 *
 * @param views feature views, or {@link #ALL}
 * @param services feature services, or {@link #ALL}; a caller may read all features of its
 *     services, whatever views they are in
 */
public record Caller(String name, Set<String> views, Set<String> services) {

  static final String ALL = "*";

  private static final Context.Key<Caller> KEY = Context.key("tarn-caller");

  public Caller {
    views = Set.copyOf(views);
    services = Set.copyOf(services);
  }

  /**
   * Returns the caller of the call that this thread works on.
   *
   * @throws io.grpc.StatusRuntimeException UNAUTHENTICATED if there is none, so that a mistake in
   *     the code gives nothing away
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

  public boolean maySee(String view) {
    return views.contains(ALL) || views.contains(view);
  }

  public boolean mayUse(String service) {
    return services.contains(ALL) || services.contains(service);
  }
}
