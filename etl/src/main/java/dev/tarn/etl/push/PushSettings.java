package dev.tarn.etl.push;

import com.typesafe.config.Config;
import java.time.Duration;

/**
 * The section {@code push} of the settings, the clocks of live views, and the default entity of the
 * servers; reference.conf says what each is.
 */
public record PushSettings(
    int rowsPerBucket,
    int keep,
    Duration grace,
    double maxOverlay,
    double rowsPerSecond,
    Duration lease,
    Duration expireUnreleased,
    Duration livePatience,
    Duration clockSkew,
    String defaultEntity) {

  /** Reads them from the settings below {@code tarn}. */
  public static PushSettings of(Config tarn) {
    Config push = tarn.getConfig("push");
    PushSettings settings =
        new PushSettings(
            push.getInt("rows-per-bucket"),
            push.getInt("keep"),
            push.getDuration("grace"),
            push.getDouble("max-overlay"),
            push.getDouble("rows-per-second"),
            push.getDuration("lease"),
            push.getDuration("expire-unreleased"),
            push.getDuration("live-patience"),
            tarn.getDuration("live.clock-skew"),
            tarn.getString("serving.default-entity"));
    if (settings.rowsPerBucket < 1 || settings.keep < 1) {
      throw new IllegalArgumentException("push.rows-per-bucket and push.keep are at least 1");
    }
    if (settings.maxOverlay < 0 || settings.rowsPerSecond < 0) {
      throw new IllegalArgumentException(
          "push.max-overlay and push.rows-per-second are not negative");
    }
    if (settings.lease.toSeconds() < 2) {
      throw new IllegalArgumentException(
          "push.lease is at least 2s: a push says twice a second that it is alive");
    }
    if (settings.clockSkew.isNegative()) {
      throw new IllegalArgumentException("live.clock-skew is not negative");
    }
    if (settings.expireUnreleased.toMinutes() < 1) {
      throw new IllegalArgumentException("push.expire-unreleased is at least a minute");
    }
    return settings;
  }
}
