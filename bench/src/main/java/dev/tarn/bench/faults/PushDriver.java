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
 * A program that runs one command, such as a push, and may be killed. It starts Spark, says so, and
 * waits for a line with the words of the command. So it has done most of its slow work before the
 * fault. Then it runs the command as {@code ./tarn} does.
 */
public final class PushDriver {

  /** The line that says that the program waits for its command. */
  static final String READY = "driver is ready";

  private PushDriver() {}

  /** Takes the settings. The command comes on the standard input, its words separated by tabs. */
  public static void main(String[] settings) throws IOException {
    try (Lake lake = warmUp(settings)) {
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
  }

  /** Starts a Spark session, which the command will use, too. */
  private static Lake warmUp(String[] settings) {
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
    return lake;
  }

  /** Ends this process when the process that started it ends. */
  private static void endWithStarter(BufferedReader in) {
    try {
      while (in.readLine() != null) {
        // Nothing more is said; only the end counts.
      }
    } catch (IOException e) {
      // The starter has ended.
    }
    Runtime.getRuntime().halt(3);
  }
}
