package dev.tarn.etl.catalog;

import java.util.function.Predicate;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.exceptions.ValidationException;
import org.apache.iceberg.util.Tasks;

/** Repeats commits to Iceberg that another job's commit has overtaken. */
public final class Commits {

  private static final int RETRIES = 19;
  private static final long MIN_WAIT_MS = 10;
  private static final long MAX_WAIT_MS = 1_000;
  private static final long MAX_TOTAL_MS = 600_000;

  private Commits() {}

  /**
   * Commits, and does it again as long as that fails with a {@link CommitFailedException}.
   *
   * @param commit has to look at the table anew each time
   */
  static void retry(Runnable commit) {
    run(commit, e -> e instanceof CommitFailedException);
  }

  /** Commits as {@link #retry} does, and retries as well where Iceberg finds conflicting rows. */
  public static void retryConflicts(Runnable commit) {
    run(commit, e -> e instanceof CommitFailedException || e instanceof ValidationException);
  }

  /** Commits as {@link #retry} does, and retries as well where main has moved on. */
  static void retryOvertaken(Runnable commit) {
    run(commit, Commits::isOvertaken);
  }

  /**
   * Whether a commit to main failed because somebody else has moved main, so that it must be made
   * again on top of that. Of a branch that can't be fast-forwarded only Iceberg's message tells.
   */
  public static boolean isOvertaken(Exception e) {
    return e instanceof CommitFailedException
        || (e instanceof IllegalArgumentException
            && String.valueOf(e.getMessage()).contains("ancestor"));
  }

  private static void run(Runnable commit, Predicate<Exception> isOvertaken) {
    Tasks.foreach(commit)
        .retry(RETRIES)
        .exponentialBackoff(MIN_WAIT_MS, MAX_WAIT_MS, MAX_TOTAL_MS, 2.0)
        .shouldRetryTest(isOvertaken)
        .run(Runnable::run);
  }
}
