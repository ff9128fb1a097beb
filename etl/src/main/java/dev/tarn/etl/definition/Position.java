package dev.tarn.etl.definition;

/** The place of a definition, printed as {@code file:line}. */
public record Position(String file, int line) {
  @Override
  public String toString() {
    return file + ":" + line;
  }
}
