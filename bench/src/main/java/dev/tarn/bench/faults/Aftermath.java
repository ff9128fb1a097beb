package dev.tarn.bench.faults;

import dev.tarn.manifest.VersionRecord;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.Jedis;

/** Checks what is there after a fault, and that a push puts everything right. */
final class Aftermath {

  /** The longest time after which a server answers from a release, with much to spare. */
  private static final Duration LONGEST_SWITCH = Duration.ofSeconds(15);

  private final FaultsStage stage;
  private final FaultsReport report;

  Aftermath(FaultsStage stage) {
    this.stage = stage;
    this.report = stage.report();
  }

  /** Checks that one of these snapshots is released and that the server answers from it. */
  void checkReleased(Fault fault, Set<Long> allowed) {
    VersionRecord released = stage.released();
    if (!allowed.contains(released.getSnapshotId())) {
      stage.note(
          "after %s: snapshot %d is released, not one of %s"
              .formatted(fault, released.getSnapshotId(), allowed));
      report.mustBeNone(FaultsReport.LOST, 1);
    }
    awaitAnswersFrom(released.getVersion());
  }

  /** Pushes when all leases have run out, which must leave its version and nothing else. */
  void putRight() {
    stage.versions().unpin(Truth.VIEW);
    awaitLeases();
    stage.push();
    VersionRecord released = stage.released();
    if (released.getSnapshotId() != stage.snapshot(0)) {
      stage.note("the newest snapshot is not released");
      report.mustBeNone("pushes after a fault that failed", 1);
    }
    // What was pruned stays for push.grace.
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(4);
    Leftovers left;
    do {
      Waits.pause(200);
      left = stage.leftovers();
    } while (!left.equals(Leftovers.NONE) && System.nanoTime() < deadline);
    if (!left.equals(Leftovers.NONE)) {
      stage.note("left: " + left);
    }
    report.mustBeNone("keys left", left.keys());
    report.mustBeNone("leases left", left.leases());
    report.mustBeNone("tags left", left.tags());
    awaitAnswersFrom(released.getVersion());
  }

  private void awaitAnswersFrom(String version) {
    long deadline = System.nanoTime() + LONGEST_SWITCH.toNanos();
    Optional<String> answered = stage.lookups().sweep();
    while (!answered.equals(Optional.of(version))) {
      if (System.nanoTime() > deadline) {
        stage.note("%s is released, and %s answers".formatted(version, answered.orElse("nothing")));
        report.mustBeNone(FaultsReport.LOST, 1);
        return;
      }
      Waits.pause(50);
      answered = stage.lookups().sweep();
    }
  }

  /** Waits until the leases of dead pushes have run out; no push is alive now. */
  private void awaitLeases() {
    try (Jedis jedis = stage.redis().connect()) {
      while (true) {
        long now = Long.parseLong(jedis.time().get(0)) * 1_000;
        long last =
            jedis.hvals(stage.leasesKey()).stream()
                .mapToLong(entry -> Long.parseLong(entry.substring(entry.indexOf('@') + 1)))
                .max()
                .orElse(0);
        if (last < now) {
          return;
        }
        Waits.pause(100);
      }
    }
  }
}
