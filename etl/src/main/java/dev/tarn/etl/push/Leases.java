package dev.tarn.etl.push;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.redis.VersionStore;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Renews the lease of every version that a push is writing. A refused renewal means that the push
 * was silent for so long that another one discarded its version: then there is nothing left to
 * write for, and {@code onLoss} is run.
 */
final class Leases implements AutoCloseable {

  private record Held(String view, String version, int buckets) {}

  private final VersionStore versions;
  private final Duration lease;
  private final Runnable onLoss;
  private final List<Held> held = new CopyOnWriteArrayList<>();
  private final Pulse pulse;
  private Instant renewed = Instant.now();
  private volatile Optional<Held> lost = Optional.empty();

  Leases(VersionStore versions, Duration lease, Runnable onLoss) {
    this.versions = versions;
    this.lease = lease;
    this.onLoss = onLoss;
    this.pulse = new Pulse(this::beat);
  }

  void hold(String view, String version, int buckets) {
    held.add(new Held(view, version, buckets));
  }

  /** Lets go of a version that is complete. */
  void letGo(String view, String version) {
    held.removeIf(one -> one.view().equals(view) && one.version().equals(version));
  }

  /** The reason why the push can't go on, if a version was lost. */
  Optional<TarnException> loss() {
    return lost.map(version -> lost(version.view(), version.version(), lease));
  }

  /** The failure of a push whose version another push discarded. */
  static TarnException lost(String view, String version, Duration lease) {
    return new TarnException(
        "%s: this push stalled for over %d s, so another one removed its version %s; what was released stays released"
            .formatted(view, lease.toSeconds(), version));
  }

  @Override
  public void close() {
    pulse.close();
  }

  private void beat() {
    if (lost.isPresent() || Instant.now().isBefore(renewed.plus(lease.dividedBy(10)))) {
      return;
    }
    renewed = Instant.now();
    for (Held version : held) {
      if (!versions.renew(version.view(), version.version(), version.buckets(), lease)
          && held.contains(version)) {
        lost = Optional.of(version);
        onLoss.run();
        return;
      }
    }
  }
}
