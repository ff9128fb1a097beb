package dev.tarn.etl.console;

import java.util.Optional;

/** Knows the version of Tarn that runs, as snapshots and version records note it. */
public final class TarnVersion {

  private TarnVersion() {}

  /** Reads the version from the jar; {@code dev} if the classes are in no jar. */
  public static String current() {
    return Optional.ofNullable(TarnVersion.class.getPackage().getImplementationVersion())
        .orElse("dev");
  }
}
