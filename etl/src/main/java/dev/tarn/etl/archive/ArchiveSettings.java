package dev.tarn.etl.archive;

import com.typesafe.config.Config;
import dev.tarn.cli.UsageException;

/**
 * The settings below {@code archive}.
 *
 * @param maxMessages the most messages of one commit
 * @param maxUndecoded the greatest share of messages that can't be decoded
 */
record ArchiveSettings(long maxMessages, double maxUndecoded) {

  static ArchiveSettings of(Config tarn) {
    Config archive = tarn.getConfig("archive");
    long maxMessages = archive.getLong("max-messages");
    double maxUndecoded = archive.getDouble("max-undecoded");
    if (maxMessages < 1) {
      throw new UsageException("settings: archive.max-messages must be at least 1");
    }
    if (!(maxUndecoded >= 0 && maxUndecoded <= 1)) {
      throw new UsageException("settings: archive.max-undecoded is a share, from 0 to 1");
    }
    return new ArchiveSettings(maxMessages, maxUndecoded);
  }
}
