package dev.tarn.etl.catalog;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import java.sql.SQLException;
import java.util.Map;
import java.util.Optional;

/**
 * Makes the catalog wait for its database where trouble passes by itself, and says what is wrong
 * where it does not. A catalog of another type than {@code jdbc} is left as it is.
 */
public final class JdbcTrouble {

  /** How long SQLite waits for others who have locked the file. */
  private static final String BUSY_TIMEOUT = "jdbc.busy_timeout";

  private static final String BUSY_TIMEOUT_MS = "60000";

  /** The SQL states after which Iceberg connects anew and tries again. */
  private static final String RETRIED = "retryable_status_codes";

  /**
   * States of a statement that had no effect: deadlock, lock not available, too many connections,
   * the server is starting up. Iceberg adds those of lost connections.
   */
  private static final String NO_EFFECT = "40P01,55P03,53300,57P03";

  private JdbcTrouble() {}

  /** Adds how long to wait to a catalog's properties, where they don't say it themselves. */
  static void addPatience(Map<String, String> properties) {
    if (isSqlite(properties.getOrDefault("uri", ""))) {
      properties.putIfAbsent(BUSY_TIMEOUT, BUSY_TIMEOUT_MS);
    } else if (properties.getOrDefault("type", "").equals("jdbc")) {
      properties.putIfAbsent(RETRIED, NO_EFFECT);
    }
  }

  /**
   * The explanation of a failure that the catalog's database caused; empty if it did not, or if the
   * failure says all that there is to say.
   */
  public static Optional<TarnException> explain(Settings settings, Throwable failure) {
    return Causes.find(failure, SQLException.class)
        .flatMap(
            e -> {
              Map<String, String> properties = IcebergCatalog.properties(settings);
              String uri = properties.getOrDefault("uri", "?");
              boolean isSaid = failure instanceof TarnException;
              if (isLocked(e)) {
                String explanation =
                    "the Iceberg catalog at %s was locked by another program for more than %s ms (catalog.%s), so this command stopped; try it again"
                        .formatted(uri, properties.get(BUSY_TIMEOUT), BUSY_TIMEOUT);
                String message = isSaid ? failure.getMessage() : e.getMessage();
                return Optional.of(
                    new TarnException("%s: %s".formatted(explanation, message), failure));
              }
              return isSaid
                  ? Optional.empty()
                  : Optional.of(
                      new TarnException(
                          "the database of the Iceberg catalog at %s (settings below 'catalog') refused or was lost, so this command stopped: %s"
                              .formatted(uri, Causes.reason(e)),
                          failure));
            });
  }

  private static boolean isLocked(SQLException e) {
    String message = String.valueOf(e.getMessage());
    return message.startsWith("[SQLITE_BUSY") || message.startsWith("[SQLITE_LOCKED");
  }

  private static boolean isSqlite(String uri) {
    return uri.startsWith("jdbc:sqlite:");
  }
}
