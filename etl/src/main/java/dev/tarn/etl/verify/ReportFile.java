package dev.tarn.etl.verify;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The file of a report. It is there whole or not at all. */
public record ReportFile(Path path) {

  /**
   * Checks, as far as possible beforehand, that a file can be written.
   *
   * @throws UsageException if it can't
   */
  public static ReportFile at(Path path) {
    Path absolute = path.toAbsolutePath().normalize();
    if (!absolute.toString().endsWith(".html")) {
      throw new UsageException(
          "report=%s: it is a page of HTML, so its name ends in .html".formatted(path));
    }
    if (Files.isDirectory(absolute)
        || !Files.isDirectory(absolute.getParent())
        || !Files.isWritable(absolute.getParent())) {
      throw new UsageException(
          "report=%s: %s is no folder that can be written to"
              .formatted(path, absolute.getParent()));
    }
    return new ReportFile(absolute);
  }

  public void write(String html) {
    Path beside = path.resolveSibling("." + path.getFileName() + ".part");
    try {
      try {
        Files.writeString(beside, html);
        Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(beside);
      }
    } catch (IOException e) {
      throw new TarnException(
          "the report could not be written to %s: %s".formatted(path, Causes.reason(e)), e);
    }
  }
}
