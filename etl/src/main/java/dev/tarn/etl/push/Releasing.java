package dev.tarn.etl.push;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.push.Push.Request;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.redis.VersionStore.ReleaseRefusal;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.release.Retention;
import dev.tarn.etl.release.VersionRecords;
import dev.tarn.manifest.ReleaseEvent;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;

/** Releases versions that were read back, all in the same instant. */
final class Releasing {

  private final RedisServers redis;
  private final VersionStore versions;
  private final Retention retention;
  private final VersionWriter writer;
  private final PushSettings settings;

  Releasing(
      RedisServers redis,
      VersionStore versions,
      Retention retention,
      VersionWriter writer,
      PushSettings settings) {
    this.redis = redis;
    this.versions = versions;
    this.retention = retention;
    this.writer = writer;
    this.settings = settings;
  }

  /**
   * Releases all versions that are still needed. Discards those that another push made needless
   * meanwhile.
   *
   * @param runs of Redis, since before anything was read back
   * @param services definitions to store in the same instant, as they are at each attempt
   * @throws TarnException if a version was taken away from this push
   */
  void release(
      List<ReadBackVersion> readBack,
      Set<String> runs,
      Supplier<List<StoredService>> services,
      Request request,
      Outcomes outcomes) {
    Instant start = Instant.now();
    Set<String> readBackFrom = runs;
    List<ReadBackVersion> left = readBack;
    while (!left.isEmpty()) {
      Instant at = after(versions.now(), left);
      List<VersionStore.Candidate> candidates =
          left.stream()
              .map(
                  version ->
                      new VersionStore.Candidate(
                          version.record(), version.seen(), event(version, at, request)))
              .toList();
      Optional<ReleaseRefusal> refusal =
          versions.release(candidates, at, request.isRollback(), services.get(), readBackFrom);
      // Complete although refused: the answer to the release was lost, and it was asked for again.
      if (refusal.isEmpty() || left.stream().allMatch(this::isComplete)) {
        Duration took = Duration.between(start, Instant.now());
        left.forEach(version -> outcomes.released(version, took));
        return;
      }
      switch (refusal.get()) {
        case GONE ->
            throw new TarnException(
                "this push stalled for over %d s and another one removed its version, or a version that it releases again or lays its delta over was pruned; what was released stays released, and the push can be tried again"
                    .formatted(settings.lease().toSeconds()));
        case RESTARTED -> {
          // A server that comes back may have lost its last second, or a replica not have got it.
          readBackFrom = redis.runs();
          left = left.stream().map(this::readBackAgain).toList();
        }
        default -> left = stillNeeded(left, request, outcomes);
      }
    }
  }

  private boolean isComplete(ReadBackVersion version) {
    String name = version.record().getVersion();
    return version.written().isPresent()
        ? versions.record(version.view(), name).isPresent()
        : versions.released(version.view()).filter(now -> now.version().equals(name)).isPresent();
  }

  private ReadBackVersion readBackAgain(ReadBackVersion version) {
    return version
        .written()
        .map(written -> writer.readBack(written).withSeen(version.seen()))
        .orElse(version);
  }

  private static ReleaseEvent event(ReadBackVersion version, Instant at, Request request) {
    return ReleaseHistory.event(version.record(), at, request.isRollback() ? "rollback" : "push")
        .setMode(version.mode())
        .setRowsWritten(version.rowsWritten())
        .setBytesWritten(version.bytesWritten())
        .setWriteSeconds(PushReport.seconds(version.writing()))
        .setReadBackSeconds(PushReport.seconds(version.readingBack()))
        .build();
  }

  /** Looks again at what is released; the versions that are left have seen it. */
  private List<ReadBackVersion> stillNeeded(
      List<ReadBackVersion> versionsLeft, Request request, Outcomes outcomes) {
    List<ReadBackVersion> needed = new ArrayList<>();
    for (ReadBackVersion version : versionsLeft) {
      Optional<Release> seen = versions.released(version.view());
      if (!isSuperseded(version, request, outcomes)) {
        needed.add(version.withSeen(seen));
      }
    }
    return needed;
  }

  /**
   * Discards a version that another push made needless. That is no failure: what this push was to
   * bring is released.
   */
  private boolean isSuperseded(ReadBackVersion version, Request request, Outcomes outcomes) {
    String view = version.view();
    VersionRecord record = version.record();
    VersionRecord released = versions.releasedRecord(view).orElse(record);
    Optional<Release> pin = Optional.ofNullable(versions.pins().get(view));
    boolean isPinned = pin.isPresent() && !request.isRollback();
    boolean isNeedless =
        !request.isRollback()
            && !released.getVersion().equals(record.getVersion())
            && (Planning.isOlder(record, released) || VersionRecords.sameAnswers(record, released));
    if (!isPinned && !isNeedless) {
      return false;
    }
    if (version.written().isPresent()) {
      retention.discard(view, record.getVersion(), record.getBuckets(), version.table());
    }
    if (isPinned) {
      outcomes.pinned(released, pin.get());
    } else {
      outcomes.superseded(released, record);
    }
    return true;
  }

  /** Releases of a view are in order of time, whatever the clock does. */
  private static Instant after(Instant now, List<ReadBackVersion> versions) {
    Instant at = now;
    for (ReadBackVersion version : versions) {
      Instant before = version.seen().map(Release::releasedAt).orElse(Instant.MIN);
      at = at.isAfter(before) ? at : before.plusMillis(1);
    }
    return at;
  }
}
