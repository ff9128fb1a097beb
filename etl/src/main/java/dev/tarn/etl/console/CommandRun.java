package dev.tarn.etl.console;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Runs one command and turns its failure into a message and an exit status. */
public final class CommandRun {

  private static final Logger LOG = LoggerFactory.getLogger(CommandRun.class);

  private CommandRun() {}

  /** Gives a command to its job. */
  @FunctionalInterface
  public interface Dispatch {
    void run(CommandLine line, Settings settings, Console console);
  }

  /**
   * Reads the words and runs the command, unless they ask for help.
   *
   * @return the exit status: 0 done, 1 failed, 2 bad use. A process that a signal stops has that of
   *     the signal
   */
  public static int run(
      Console console, Function<CommandLine, Settings> load, Dispatch dispatch, String... words) {
    Optional<CommandLine> line = Optional.empty();
    try {
      line = CommandLine.parse(words);
      if (line.isPresent()) {
        Settings settings = load.apply(line.get());
        settings.resultFile().ifPresent(console::alsoWriteResultTo);
        try (StopNotice notice = new StopNotice(console, line.get().command())) {
          dispatch.run(line.get(), settings, console);
        }
      }
      return 0;
    } catch (TarnException e) {
      LOG.error("failed", e);
      console.say("tarn: %s", e.getMessage());
      return e.exitStatus();
    } catch (Throwable e) { // Scala does not declare what it throws, and links fail as errors
      LOG.error("failed", e);
      console.say(
          "tarn: %s failed: %s (the log has the details)",
          line.map(typed -> typed.command().word()).orElse("reading the command"),
          Causes.reason(e));
      return 1;
    }
  }
}
