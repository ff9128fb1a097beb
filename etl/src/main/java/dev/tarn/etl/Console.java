package dev.tarn.etl;

import java.io.PrintStream;
import java.util.Locale;

/**
 * What a job says to the person or the scheduler that started it: progress on stderr, results on
 * stdout. Spark's own log goes elsewhere (conf/log4j2.properties).
 */
public final class Console {

  private static final PrintStream OUT = System.out;
  private static final PrintStream ERR = System.err;

  /** Whether stderr is a terminal: the launcher knows. */
  private static final boolean WATCHED = Boolean.getBoolean("tarn.terminal");

  private boolean lineIsOpen;

  /** A result. */
  public void result(String text) {
    closeLine();
    OUT.println(text);
    OUT.flush();
  }

  /** A step that is done, or something to know. */
  public void say(String format, Object... values) {
    closeLine();
    ERR.println(String.format(Locale.ROOT, format, values));
  }

  /**
   * How far a step has come. On a terminal each call overwrites the one before; elsewhere, where
   * nobody watches, nothing is written.
   */
  public void progress(String format, Object... values) {
    if (WATCHED) {
      String text = String.format(Locale.ROOT, format, values);
      ERR.print("\r\033[K" + text);
      ERR.flush();
      lineIsOpen = true;
    }
  }

  private void closeLine() {
    if (lineIsOpen) {
      ERR.print("\r\033[K");
      lineIsOpen = false;
    }
  }
}
