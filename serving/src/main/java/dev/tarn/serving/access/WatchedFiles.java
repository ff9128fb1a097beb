package dev.tarn.serving.access;

import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads files at the start, and again whenever their contents have changed. A bad file at the start
 * is an error. A file that turns bad later is logged, and what was read before stays in use.
 *
 * <p>It compares contents and not times: a renewed file may have any time, and several files are
 * not replaced in the same instant.
 */
final class WatchedFiles {

  /** Takes over the contents of the files. */
  interface Reader {

    /**
     * Reads the contents.
     *
     * @param contents the contents of the files, in their order
     * @throws TarnException if they can't be used; the message names the file
     */
    void read(List<byte[]> contents);
  }

  private static final Logger log = LoggerFactory.getLogger(WatchedFiles.class);

  private record Named(String setting, Path file) {}

  private final List<Named> files = new ArrayList<>();
  private final Reader reader;
  private List<byte[]> last = List.of();
  private Optional<String> trouble = Optional.empty();

  WatchedFiles(Reader reader) {
    this.reader = reader;
  }

  /** Adds a file, before the first read. */
  WatchedFiles add(String setting, String file) {
    files.add(new Named(setting, Path.of(file)));
    return this;
  }

  /**
   * Reads the files for the first time.
   *
   * @throws TarnException if one can't be read or used
   */
  synchronized void start() {
    List<byte[]> contents = contents();
    reader.read(contents);
    last = contents;
  }

  /** Reads the files again if they have changed. It never throws, as a scheduler runs it. */
  synchronized void refresh() {
    try {
      List<byte[]> contents = contents();
      if (!isSame(contents)) {
        reader.read(contents);
        last = contents;
        log.info("{} changed and is in use", names());
      }
      trouble = Optional.empty();
    } catch (RuntimeException e) {
      // Perhaps only some of the files are new yet; the next look sees the others.
      if (!trouble.equals(Optional.of(e.getMessage()))) {
        log.warn("{}; what was read before stays in use", e.getMessage());
        trouble = Optional.ofNullable(e.getMessage());
      }
    }
  }

  private List<byte[]> contents() {
    List<byte[]> contents = new ArrayList<>();
    for (Named named : files) {
      try {
        contents.add(Files.readAllBytes(named.file()));
      } catch (IOException e) {
        throw new TarnException(
            "%s = '%s': it can't be read: %s".formatted(named.setting(), named.file(), e), e);
      }
    }
    return contents;
  }

  private boolean isSame(List<byte[]> contents) {
    for (int i = 0; i < contents.size(); i++) {
      if (!Arrays.equals(contents.get(i), last.get(i))) {
        return false;
      }
    }
    return true;
  }

  private String names() {
    return String.join(", ", files.stream().map(Named::setting).toList());
  }
}
