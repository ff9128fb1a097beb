package dev.tarn.etl.source;

import com.google.common.base.Throwables;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.lake.ParquetTypes;

/** Explains failures of sources that only show while their rows are read. */
public final class ReadFailures {

  private ReadFailures() {}

  /**
   * Says in one line why a build failed, as {@link Causes#reason} does. What does not fit in a text
   * is told as its reader tells it: with source, file, line and record.
   */
  public static String reason(Throwable failure) {
    return Throwables.getCausalChain(failure).stream()
        .filter(InputException.class::isInstance)
        .map(Throwable::getMessage)
        .findFirst()
        .orElseGet(() -> ParquetTypes.reason(failure));
  }
}
