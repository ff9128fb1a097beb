package dev.tarn.bench.faults;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.Main;
import dev.tarn.etl.lake.Lake;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A driver of {@code push} in a process of its own, to be killed. It starts Spark, says so, and
 * waits for a line with the words of the command: so most of what a driver costs is paid beforehand
 * and not in the time of the fault. From there on it is what {@code ./tarn} runs.
 */
public final class PushDriver {

  /** What it says when it waits for its command. */
  static final String READY = "driver is ready";

  private PushDriver() {}

  /** Takes the settings, and its command from the standard input, words separated by tabs. */
  public static void main(String[] settings) throws IOException {
    warmUp(settings);
    System.out.println(READY);
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    String command = in.readLine();
    if (command == null) {
      Runtime.getRuntime().halt(0);
    }
    Thread watch = new Thread(() -> endWithStarter(in), "starter");
    watch.setDaemon(true);
    watch.start();
    Main.main(List.of(command.split("\t")).toArray(new String[0]));
  }

  /** The session stays, and the command takes it. */
  private static void warmUp(String[] settings) {
    String[] words = new String[settings.length + 2];
    words[0] = "push";
    words[1] = "view=" + Truth.VIEW;
    System.arraycopy(settings, 0, words, 2, settings.length);
    Lake lake = Lake.open(Settings.load(CommandLine.parse(words).orElseThrow()));
    if (lake.catalog().find(Truth.VIEW).isPresent()) {
      lake.spark()
          .sql("SELECT user_id, max(label) FROM " + lake.sqlName(Truth.VIEW) + " GROUP BY user_id")
          .count();
    }
  }

  /** Nothing that was started here outlives who started it. */
  private static void endWithStarter(BufferedReader in) {
    try {
      while (in.readLine() != null) {
        // Nothing more is said.
      }
    } catch (IOException e) {
      // The same as its end.
    }
    Runtime.getRuntime().halt(3);
  }
}
