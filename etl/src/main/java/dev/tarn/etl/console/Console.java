package dev.tarn.etl.console;

import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;
import java.util.Optional;

/**
 * Talks to the person or the scheduler that started a job: progress goes to stderr, results go to
 * stdout. Spark's own log goes elsewhere (conf/log4j2.properties).
 */
public final class Console {

  /** Whether stderr is a terminal. The launcher says so. */
  private static final boolean WATCHED = Boolean.getBoolean("tarn.terminal");

  /** Where the launcher looks for a note of {@link #nothing}. */
  private static final Optional<Path> NOTE_OF_NOTHING =
      Optional.ofNullable(System.getProperty("tarn.nothing")).map(Path::of);

  private final PrintStream out;
  private final PrintStream err;
  private Optional<Path> resultFile = Optional.empty();
  private boolean lineIsOpen;
  private boolean isSilent;

  /** Makes a console of the process's own streams, or of a test's. */
  public Console(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  /** Makes a console that says nothing, for what is done many times over. */
  public static Console silent() {
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
    return new Console(nowhere, nowhere);
  }

  /** Writes the result to a file, too. */
  synchronized void alsoWriteResultTo(Path file) {
    resultFile = Optional.of(file);
  }

  /**
   * Prints a result.
   *
   * @throws TarnException if it can't be written to the file of {@code result-file} too
   */
  public synchronized void result(String text) {
    if (isSilent) {
      return;
    }
    closeLine();
    out.println(text);
    out.flush();
    resultFile.ifPresent(file -> write(text, file));
  }

  /**
   * Prints a result that has nothing in it. Where the launcher makes an archive of the classes that
   * this run loads, it leaves a note that they are not all.
   *
   * @throws TarnException if it can't be written to the file of {@code result-file} too
   */
  public void nothing(String text) {
    result(text);
    NOTE_OF_NOTHING.ifPresent(
        note -> {
          try {
            Files.writeString(note, "");
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  /** Writes a file that nobody sees before it is whole. */
  private static void write(String text, Path file) {
    try {
      Path half = file.resolveSibling(file.getFileName() + ".half");
      Files.writeString(half, text + "\n");
      Files.move(half, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new TarnException(
          "result-file = '%s': it can't be written: %s; what the job was to do is done"
              .formatted(file, e),
          e);
    }
  }

  /** Says that a step is done, or something to know. */
  public synchronized void say(String format, Object... values) {
    if (isSilent) {
      return;
    }
    closeLine();
    err.println(String.format(Locale.ROOT, format, values));
  }

  /**
   * Shows how far a step has come. On a terminal each call overwrites the one before; elsewhere,
   * where nobody watches, nothing is written.
   */
  public synchronized void progress(String format, Object... values) {
    if (WATCHED && !isSilent) {
      String text = String.format(Locale.ROOT, format, values);
      err.print("\r\033[K" + text);
      err.flush();
      lineIsOpen = true;
    }
  }

  /** Says something, and nothing more afterwards. */
  synchronized void last(String text) {
    say("%s", text);
    isSilent = true;
  }

  private void closeLine() {
    if (lineIsOpen) {
      err.print("\r\033[K");
      lineIsOpen = false;
    }
  }
}
