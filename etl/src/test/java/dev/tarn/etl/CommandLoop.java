package dev.tarn.etl;

import dev.tarn.etl.console.Console;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * A program that runs commands one after the other, each as {@link Main} runs it alone. A line of
 * the standard input has the words of a command, separated by tabs. A line with the exit status
 * ends what the command prints.
 */
public final class CommandLoop {

  /** Begins the line that ends a command's output. */
  static final String STATUS = "exit status ";

  private CommandLoop() {}

  public static void main(String[] none) throws IOException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      int status = Main.run(new Console(System.out, System.err), line.split("\t", -1));
      System.out.println(STATUS + status);
    }
  }
}
