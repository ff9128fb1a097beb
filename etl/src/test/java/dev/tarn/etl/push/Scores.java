package dev.tarn.etl.push;

import dev.tarn.etl.Workbench;
import org.apache.spark.sql.SaveMode;

/**
 * A view to push in tests: {@code score} of users, whose builds give just the rows that were
 * written for their as-of.
 */
public final class Scores {

  /** Features of {@link #bench}. */
  public static final String FEATURES =
      "[{ name = points, type = bigint }, { name = level, type = string }]";

  private Scores() {}

  /** A workbench with rows {@code (user_id, at, points, level)}, in SQL, that are not built yet. */
  public static Workbench bench(String rows) {
    Workbench bench = new Workbench();
    write(bench, rows);
    return define(bench, FEATURES, "");
  }

  /** The rows, in place of those before. */
  public static void write(Workbench bench, String rows) {
    query(
        bench,
        """
        SELECT CAST(user_id AS BIGINT) AS user_id, CAST(at AS TIMESTAMP) AS at,
          CAST(points AS BIGINT) AS points, level
        FROM VALUES %s AS rows(user_id, at, points, level)
        """
            .formatted(rows));
  }

  /** {@code count} users' rows as of a date, each {@code bytes} long or so, others with a seed. */
  public static void generate(Workbench bench, String at, int count, int bytes, int seed) {
    query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '%s' AS at, hash(id, %d) + 0L AS points,
          substr(repeat(sha2(concat(id, ' ', %d), 512), %d), 1, %d) AS level
        FROM range(%d)
        """
            .formatted(at, seed, seed, 1 + bytes / 128, bytes, count));
  }

  /** Writes as {@link #write} does, from a query of any columns, {@code at} among them. */
  public static void query(Workbench bench, String sql) {
    bench
        .spark()
        .sql(sql)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path("scores").toString());
  }

  /** The definition with other features, and with what else a view may have. */
  public static Workbench define(Workbench bench, String features, String more) {
    return define(bench, "*", features, more);
  }

  /** Defines as {@link #define(Workbench, String, String)} does, with what the SQL selects. */
  public static Workbench define(Workbench bench, String select, String features, String more) {
    return bench.define(
        "scores.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { scores { format = parquet, path = "%s" } }
        feature-views {
          score {
            entity = user
            sources = [scores]
            sql = "SELECT %s FROM scores WHERE at = :as_of"
            features = %s
            %s
          }
        }
        """
            .formatted(bench.path("scores"), select, features, more));
  }
}
