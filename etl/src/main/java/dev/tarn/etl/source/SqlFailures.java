package dev.tarn.etl.source;

import dev.tarn.etl.console.Causes;

/** Says in one line why Spark refuses a piece of SQL that a definition has. */
public final class SqlFailures {

  private SqlFailures() {}

  /** Spark's message without its error class and without the line within the SQL. */
  public static String reason(Throwable failure) {
    return Causes.reason(failure)
        .replaceFirst("^\\[[A-Z0-9_.]+] ", "")
        .replaceFirst("\\.? ?\\(line \\d+, pos \\d+\\)$", "")
        .replaceFirst("(?s)\\.?; line \\d+ pos \\d+(;.*)?$", "");
  }
}
