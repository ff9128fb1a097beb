package dev.tarn.serving.lookup;

import dev.tarn.serving.access.Caller;
import dev.tarn.serving.world.Releases;
import dev.tarn.serving.world.World;
import java.util.Optional;

/** Gives each request the {@link Scope} of its caller, in the latest world. */
public final class Scopes {

  private final Releases releases;
  private final boolean hasCallers;
  private volatile Optional<Scope> whole = Optional.empty();

  /**
   * Has no scope until {@link #use}.
   *
   * @param releases says why, while there is no scope
   * @param hasCallers whether each request sees only what its caller may see
   */
  public Scopes(Releases releases, boolean hasCallers) {
    this.releases = releases;
    this.hasCallers = hasCallers;
  }

  /** Lets the next requests ask for what is in this world. */
  public void use(World world) {
    whole = Optional.of(new Scope(world));
  }

  /**
   * Returns the scope of the call that this thread works on. Call it once a request, so that the
   * request sees no release in between.
   *
   * @throws LookupRefusedException UNAVAILABLE before the first world
   * @throws io.grpc.StatusRuntimeException UNAUTHENTICATED if the server knows its callers and this
   *     thread has none
   */
  Scope current() {
    Scope all =
        whole.orElseThrow(
            () ->
                LookupRefusedException.unavailable(
                    releases.trouble().orElse("the server has not yet read what is released")));
    return hasCallers ? all.of(Caller.current()) : all;
  }
}
