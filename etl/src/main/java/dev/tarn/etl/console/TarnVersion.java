package dev.tarn.etl.console;

import java.util.Optional;

/** The version of Tarn that runs, as snapshots and version records note it. */
public final class TarnVersion {

  private TarnVersion() {}

  /** The version in the jar's manifest; {@code dev} where the classes are in no jar. */
  public static String current() {
    return Optional.ofNullable(TarnVersion.class.getPackage().getImplementationVersion())
        .orElse("dev");
  }
}
