package dev.tarn.etl.definition;

import java.nio.file.Path;

/** The place of a definition, printed as {@code file:line}. */
public record Position(String file, int line) {

  /** Names a file as seen from a folder: relative to it if it is below, else absolute. */
  static String file(Path from, Path file) {
    Path base = from.toAbsolutePath().normalize();
    Path whole = file.toAbsolutePath().normalize();
    return (whole.startsWith(base) ? base.relativize(whole) : whole).toString();
  }

  @Override
  public String toString() {
    return file + ":" + line;
  }
}
