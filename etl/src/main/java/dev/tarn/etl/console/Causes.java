package dev.tarn.etl.console;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Says in one line why something failed, where exceptions wrap each other many times over. */
public final class Causes {

  /** The greatest length of a reason: beyond it a message quotes plans or data. */
  private static final int LONGEST = 1_200;

  /** What only says that something else failed, and of which no more than that is its own. */
  private static final Pattern WRAPPER =
      Pattern.compile(
          "^(\\[TASK_WRITE_FAILED] .*|Job aborted.*|Writing job aborted.*|Job \\d+ cancelled.*"
              + "|Task failed while writing rows.*|Exception thrown in awaitResult.*|Boxed Error"
              + "|Boxed Exception|\\[FAILED_EXECUTE_UDF] .*|An exception or error caused a run to abort.*)$",
          Pattern.DOTALL);

  /**
   * Where a message ends and a plan, the statement, a stack trace or Spark's own summary begins.
   */
  private static final Pattern END =
      Pattern.compile(
          "(?m)(^\\s*at [\\w.$/<>]+\\(.*|^Caused by: .*|^Driver stacktrace:.*|^== SQL.*|;?\\s*^['!+: ]*[A-Z]\\w+ \\[.*|^\\s*\\+- .*)");

  private static final Pattern CLASS = Pattern.compile("^(?:[a-z_]\\w*\\.)+[A-Z][\\w$]*: ?");

  private static final Pattern TASK = Pattern.compile("^Job aborted.* executor \\S+\\): ");

  private Causes() {}

  /**
   * Puts together what the failure and its causes say, from the outermost to the innermost one and
   * each thing once, so that neither the file that an outer one names is lost nor the reason that
   * an inner one gives. The result is one line, with the name of a cause's class where the message
   * alone would say nothing (a file's name, a number).
   */
  public static String reason(Throwable failure) {
    List<String> said = new ArrayList<>();
    for (Throwable cause : causes(failure)) {
      message(cause).ifPresent(message -> add(said, message));
    }
    if (said.isEmpty()) {
      // Of a task on another machine only Spark's own summary may be left.
      return causes(failure).stream()
          .filter(cause -> cause.getMessage() != null && !cause.getMessage().isBlank())
          .map(cause -> TASK.matcher(oneLine(cause.getMessage())).replaceFirst(""))
          .findFirst()
          .orElse(failure.getClass().getSimpleName());
    }
    String reason = String.join(": ", said);
    return reason.length() <= LONGEST ? reason : reason.substring(0, LONGEST) + "…";
  }

  /** The message of the innermost cause that has one, in one line. */
  public static String innermost(Throwable failure) {
    List<String> said = new ArrayList<>();
    causes(failure).forEach(cause -> message(cause).ifPresent(said::add));
    return said.isEmpty() ? reason(failure) : said.get(said.size() - 1);
  }

  /** Tells whether any of the causes is of this class. */
  public static boolean has(Throwable failure, Class<? extends Throwable> kind) {
    return find(failure, kind).isPresent();
  }

  /** The outermost cause of this class. */
  public static <T extends Throwable> Optional<T> find(Throwable failure, Class<T> kind) {
    return causes(failure).stream().filter(kind::isInstance).map(kind::cast).findFirst();
  }

  /** Tells whether any of the causes says this. */
  public static boolean says(Throwable failure, String text) {
    return causes(failure).stream()
        .anyMatch(cause -> cause.getMessage() != null && cause.getMessage().contains(text));
  }

  /** The failure and its causes, the outermost first. */
  public static List<Throwable> causes(Throwable failure) {
    List<Throwable> causes = new ArrayList<>();
    for (Throwable t = failure; t != null && !causes.contains(t); t = t.getCause()) {
      causes.add(t);
    }
    return causes;
  }

  /** What a message says before a plan, a statement or a stack trace, in one line. */
  public static String oneLine(String message) {
    String text = END.split(message.strip(), 2)[0];
    List<String> lines = text.lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
    return lines.stream()
        .map(line -> line.matches(".*[.:;,]$") || line.equals(last(lines)) ? line : line + ";")
        .collect(Collectors.joining(" "));
  }

  private static String last(List<String> lines) {
    return lines.get(lines.size() - 1);
  }

  private static Optional<String> message(Throwable cause) {
    String given = cause.getMessage();
    if (given == null || given.isBlank() || WRAPPER.matcher(given.strip()).matches()) {
      return Optional.empty();
    }
    Throwable inner = cause.getCause();
    if (inner != null && given.equals(inner.toString())) {
      return Optional.empty();
    }
    String message = CLASS.matcher(oneLine(given)).replaceFirst("");
    if (message.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        message.contains(" ") ? message : cause.getClass().getSimpleName() + ": " + message);
  }

  /** Adds a message, unless an outer one has it; one that has the outer ones takes their place. */
  private static void add(List<String> said, String message) {
    if (said.stream().anyMatch(before -> before.contains(bare(message)))) {
      return;
    }
    said.removeIf(before -> message.contains(bare(before)));
    said.add(message);
  }

  private static String bare(String message) {
    return message.replaceFirst("[.;: ]+$", "");
  }
}
