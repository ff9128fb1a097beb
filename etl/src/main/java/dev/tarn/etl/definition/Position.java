package dev.tarn.etl.definition;

/** Where something is defined; printed as {@code file:line}. */
public record Position(String file, int line) {
  @Override
  public String toString() {
    return file + ":" + line;
  }
}
