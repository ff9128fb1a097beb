package dev.tarn.etl.console;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Says in one line why something failed, where exceptions wrap each other many times over. */
public final class Causes {

  private Causes() {}

  /**
   * Finds the message of the innermost cause that has one. The result is one line, with the name of
   * the cause's class where the message alone would say nothing (a file's name, a number).
   */
  public static String reason(Throwable failure) {
    List<Throwable> causes = causes(failure);
    for (int i = causes.size() - 1; i >= 0; i--) {
      Throwable cause = causes.get(i);
      if (cause.getMessage() != null && !cause.getMessage().isBlank()) {
        String message = firstLine(cause.getMessage());
        return message.contains(" ") ? message : cause.getClass().getSimpleName() + ": " + message;
      }
    }
    return failure.getClass().getSimpleName();
  }

  /** Tells whether any of the causes is of this class. */
  public static boolean has(Throwable failure, Class<? extends Throwable> kind) {
    return find(failure, kind).isPresent();
  }

  /** The outermost cause of this class. */
  public static <T extends Throwable> Optional<T> find(Throwable failure, Class<T> kind) {
    return causes(failure).stream().filter(kind::isInstance).map(kind::cast).findFirst();
  }

  private static List<Throwable> causes(Throwable failure) {
    List<Throwable> causes = new ArrayList<>();
    for (Throwable t = failure; t != null && !causes.contains(t); t = t.getCause()) {
      causes.add(t);
    }
    return causes;
  }

  private static String firstLine(String message) {
    return message.strip().lines().findFirst().orElse("").strip();
  }
}
