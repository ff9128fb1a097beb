package dev.tarn.etl.console;

import dev.tarn.cli.Command;

/**
 * Says in one line that a command was stopped by a signal (SIGTERM, Ctrl-C), and what it leaves.
 * From then on the console is silent: what fails now fails because Spark, too, is being stopped.
 * The exit status is the JVM's: 143 or 130.
 */
final class StopNotice implements AutoCloseable {

  private final Thread hook;

  /** Waits for a signal until it is closed. */
  StopNotice(Console console, Command command) {
    hook =
        new Thread(
            () -> console.last("tarn: %s was stopped; %s".formatted(command.word(), left(command))),
            "stop-notice");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Ends the wait. If the process is being stopped, this says so before anything else is said. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      try {
        hook.join();
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static String left(Command command) {
    return switch (command) {
      case BUILD ->
          "as-ofs that it has told are published, of the one under way nothing is; build it again";
      case ARCHIVE ->
          "rounds that it has told are in the event table, of the one under way nothing is; run it again";
      case PUSH, ROLLBACK ->
          "./tarn versions says what is released; rows that are not released go with the next push, or by themselves";
      case TRAIN -> "unless it has told the training set, there is none; run it again";
      case FIT -> "unless it has told the fit, the one before goes on to hold";
      case DROP, WITHDRAW -> "it is done as a whole or not at all; run it again to see";
      case EXPIRE -> "what it has removed was needed by nothing; the next one goes on";
      case VALIDATE, VERIFY, VERSIONS, MANIFESTS, GET -> "nothing has changed";
      default -> "what it has done stays";
    };
  }
}
