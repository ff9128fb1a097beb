package dev.tarn.bench.faults;

import static dev.tarn.bench.faults.FaultsStage.LEASE;
import static dev.tarn.bench.faults.FaultsStage.LONGEST_PUSH;

import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.TcpProxy;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/** Makes faults happen, each at a random moment of a push. */
final class FaultMaker {

  private static final String VIEW = "view=" + Truth.VIEW;

  private final FaultsStage stage;
  private final FaultsReport report;
  private final Random random;

  FaultMaker(FaultsStage stage) {
    this.stage = stage;
    this.report = stage.report();
    this.random = stage.random();
  }

  /**
   * The result of a fault.
   *
   * @param happened false: it came too late, when the push was done already
   * @param allowed the snapshots of which one may be released now
   */
  record Result(boolean happened, Set<Long> allowed) {}

  /**
   * Makes one fault happen.
   *
   * @param released the snapshot that was released before
   * @param wanted the newest snapshot, which is to be pushed
   * @param bytes what the push sends to Redis
   */
  Result make(Fault fault, long released, long wanted, long bytes) throws IOException {
    Set<Long> either = Set.of(released, wanted);
    switch (fault) {
      case KILL -> {
        if (random.nextInt(12) == 0 && stage.snapshots() > 8) {
          long old = stage.snapshot(7);
          return new Result(
              kill(stage.fullBytes(), "rollback", VIEW, "snapshot=" + old),
              new HashSet<>(List.of(released, old)));
        }
        return new Result(kill(bytes, "push", VIEW), either);
      }
      case REDIS_KILL -> killRedis(bytes);
      case CUT -> cut(bytes);
      case OUT_OF_MEMORY -> fill(bytes);
      case STALL -> {
        return new Result(true, new HashSet<>(List.of(released, wanted, stall(bytes))));
      }
      case TWO_PUSHES -> {
        pushTwice();
        return new Result(true, Set.of(wanted));
      }
      case ROLLBACK -> {
        return new Result(true, rollBack(released, wanted));
      }
    }
    return new Result(true, either);
  }

  /** Kills a command; false: it had ended before. */
  private boolean kill(long bytes, String... words) {
    Driver driver = stage.driver();
    // A third at any byte, a third near the end, where a version is completed, released and pruned,
    // and a third a while after any byte, for what does not go to Redis: tags, the history.
    int kind = random.nextInt(3);
    long at =
        kind == 1
            ? bytes - random.nextInt((int) Math.min(bytes, 12_000))
            : (long) (bytes * random.nextDouble());
    int later = kind == 2 ? random.nextInt(800) : 0;
    try (TcpProxy proxy = new TcpProxy(stage.port())) {
      proxy.after(
          at,
          () -> {
            if (later == 0) {
              driver.kill();
            } else {
              Waits.later(later, driver::kill);
            }
          });
      driver.go(stage.command(proxy.port(), words));
      int status = driver.await(LONGEST_PUSH);
      boolean isKilled = status == 128 + 9;
      stage.note(
          "%s %s after %,d bytes and %d ms"
              .formatted(words[0], isKilled ? "killed" : "not killed", at, later));
      if (!isKilled) {
        stage.explain(driver, status);
      }
      return isKilled;
    }
  }

  private void killRedis(long bytes) {
    Driver driver = stage.driver();
    long at = (long) (bytes * random.nextDouble());
    int away = 100 + random.nextInt(1_500);
    CountDownLatch isBack = new CountDownLatch(1);
    AtomicReference<IOException> failure = new AtomicReference<>();
    Runnable kill =
        () -> {
          stage.lookups().beginOutage();
          stage.redis().kill();
          Waits.later(
              away,
              () -> {
                try {
                  stage.redis().start();
                } catch (IOException e) {
                  failure.set(e);
                } finally {
                  isBack.countDown();
                }
              });
        };
    try (TcpProxy proxy = new TcpProxy(stage.port())) {
      proxy.after(at, kill);
      driver.go(stage.command(proxy.port(), "push", VIEW));
      int status = driver.await(LONGEST_PUSH);
      if (proxy.passed() < at) {
        kill.run();
      }
      Waits.await(isBack, "Redis was not started again in two minutes");
      if (failure.get() != null || !stage.lookups().endOutage(Duration.ofSeconds(30))) {
        stage.note("the lookup server did not find Redis again: " + failure.get());
        report.mustBeNone(FaultsReport.LOST, 1);
      }
      stage.note("Redis killed after %,d bytes, back after %d ms".formatted(at, away));
      stage.explain(driver, status);
    }
  }

  /** Cuts the connections three times in one push, which must go on by itself. */
  private void cut(long bytes) {
    Driver driver = stage.driver();
    long step = (long) (bytes * random.nextDouble() / 3);
    try (TcpProxy proxy = new TcpProxy(stage.port())) {
      proxy.after(step, () -> cut(proxy, step, 2));
      driver.go(stage.command(proxy.port(), "push", VIEW));
      int status = driver.await(LONGEST_PUSH);
      stage.note("connections cut each %,d bytes".formatted(step));
      stage.explain(driver, status);
      if (status != 0) {
        report.mustBeNone("pushes that a cut connection ended", 1);
      }
    }
  }

  private static void cut(TcpProxy proxy, long step, int more) {
    proxy.cut();
    if (more > 0) {
      proxy.after(step, () -> cut(proxy, step, more - 1));
    }
  }

  /** Leaves Redis little room in the middle of a push. */
  private void fill(long bytes) {
    Driver driver = stage.driver();
    long at = (long) (bytes * random.nextDouble());
    try (TcpProxy proxy = new TcpProxy(stage.port())) {
      proxy.after(at, () -> stage.redis().limit(50_000));
      driver.go(stage.command(proxy.port(), "push", VIEW));
      int status = driver.await(LONGEST_PUSH);
      stage.note("Redis full after %,d bytes".formatted(at));
      stage.explain(driver, status);
    } finally {
      stage.redis().unlimit();
    }
  }

  /**
   * Stops a push until its lease has run out and another push is done, and lets it go on.
   *
   * @return the snapshot that the other push released
   */
  private long stall(long bytes) throws IOException {
    Driver driver = stage.driver();
    long at = (long) (bytes * random.nextDouble());
    CountDownLatch isStopped = new CountDownLatch(1);
    try (TcpProxy proxy = new TcpProxy(stage.port())) {
      proxy.after(
          at,
          () -> {
            driver.stop();
            isStopped.countDown();
          });
      driver.go(stage.command(proxy.port(), "push", VIEW));
      while (driver.isAlive() && isStopped.getCount() > 0) {
        Waits.pause(20);
      }
      Waits.pause(LEASE.toMillis() + 500);
      long wanted = random.nextBoolean() ? stage.snapshot(0) : stage.build(random.nextDouble());
      stage.push();
      driver.resume();
      int status = driver.await(LONGEST_PUSH);
      stage.note("push stopped after %,d bytes until another one was done".formatted(at));
      stage.explain(driver, status);
      return wanted;
    }
  }

  /**
   * Starts two pushes at once: of one snapshot, or of two with the older or the newer one first.
   */
  private void pushTwice() {
    Driver one = stage.driver();
    Driver other = stage.driver();
    String newest = "snapshot=" + stage.snapshot(0);
    String before = "snapshot=" + stage.snapshot(1);
    int kind = random.nextInt(3);
    one.go(stage.command(stage.port(), "push", VIEW, kind == 1 ? before : newest));
    other.go(stage.command(stage.port(), "push", VIEW, kind == 2 ? before : newest));
    int ofOne = one.await(LONGEST_PUSH);
    int ofOther = other.await(LONGEST_PUSH);
    stage.note("two pushes at once, of %s".formatted(kind == 0 ? "one snapshot" : "two snapshots"));
    stage.explain(one, ofOne);
    stage.explain(other, ofOther);
  }

  /**
   * Rolls back to the version before, every other time while a push is under way.
   *
   * @return the snapshots of which one may be released now
   */
  private Set<Long> rollBack(long released, long wanted) {
    boolean isUnderWay = random.nextBoolean();
    Driver rollback = stage.driver();
    List<VersionRecord> kept = stage.versions().records(Truth.VIEW);
    Set<Long> allowed = new HashSet<>(kept.stream().map(VersionRecord::getSnapshotId).toList());
    if (isUnderWay) {
      allowed.add(wanted);
      Driver push = stage.driver();
      push.go(stage.command(stage.port(), "push", VIEW));
      Waits.pause(random.nextInt(2_000));
      rollback.go(stage.command(stage.port(), "rollback", VIEW));
      stage.explain(push, push.await(LONGEST_PUSH));
    } else {
      allowed.remove(released);
      rollback.go(stage.command(stage.port(), "rollback", VIEW));
    }
    int status = rollback.await(LONGEST_PUSH);
    stage.note("rollback%s".formatted(isUnderWay ? " with a push under way" : ""));
    stage.explain(rollback, status);
    if (status == 0) {
      long pinned = stage.released().getSnapshotId();
      stage.push();
      if (stage.released().getSnapshotId() != pinned) {
        stage.note("a push released over a pin");
        report.mustBeNone(FaultsReport.LOST, 1);
      }
    }
    return allowed;
  }
}
