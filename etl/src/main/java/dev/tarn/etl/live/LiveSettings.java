package dev.tarn.etl.live;

import com.typesafe.config.Config;
import java.time.Duration;

/** The settings below {@code live}; reference.conf says what each is. */
record LiveSettings(
    Duration clockSkew,
    String group,
    int batch,
    long cacheBytes,
    Duration poll,
    Duration cutsEvery,
    Duration reportEvery,
    Duration lateAfter,
    int sweepRate,
    String httpHost,
    int httpPort,
    String namespace,
    int maxIdBytes) {

  /** Reads them from the settings below {@code tarn}. */
  static LiveSettings of(Config tarn) {
    Config live = tarn.getConfig("live");
    LiveSettings settings =
        new LiveSettings(
            live.getDuration("clock-skew"),
            live.getString("group"),
            live.getInt("batch"),
            live.getBytes("cache-bytes"),
            live.getDuration("poll"),
            live.getDuration("cuts-every"),
            live.getDuration("report-every"),
            live.getDuration("late-after"),
            live.getInt("sweep-rate"),
            live.getString("http-host"),
            live.getInt("http-port"),
            tarn.getString("redis.namespace"),
            tarn.getInt("serving.max-id-bytes"));
    if (settings.batch < 1 || settings.sweepRate < 1) {
      throw new IllegalArgumentException("live.batch and live.sweep-rate are at least 1");
    }
    if (settings.clockSkew.isNegative() || settings.lateAfter.isNegative()) {
      throw new IllegalArgumentException("live.clock-skew and live.late-after are not negative");
    }
    if (settings.poll.toMillis() < 1
        || settings.cutsEvery.toSeconds() < 1
        || settings.reportEvery.toSeconds() < 1) {
      throw new IllegalArgumentException(
          "live.cuts-every and live.report-every are at least 1s, live.poll is at least 1ms");
    }
    return settings;
  }
}
