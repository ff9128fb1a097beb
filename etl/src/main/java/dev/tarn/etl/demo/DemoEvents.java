package dev.tarn.etl.demo;

import java.nio.file.Path;
import java.time.Instant;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;

/**
 * Makes up card payments over 30 days. A few users have very many payments and many users have few;
 * there are more by day than by night; amounts have a long tail; most payments are in the user's
 * home country. Every value is a hash of the seed and the event's number, so the same arguments
 * give the same events on any number of cores.
 */
public final class DemoEvents {

  public static final int DAYS = 30;

  /** Largest number of events in one file. */
  private static final long EVENTS_PER_FILE = 4_000_000;

  /** {@code uniform(k)}: a number from 0 to 1 that belongs to the event and to k. */
  private static final String UNIFORM = "(pmod(xxhash64(id, %d, %d), 1000003) + 0.5D) / 1000003";

  private DemoEvents() {}

  /**
   * Writes the events as Parquet, a folder a day, in place of what is there.
   *
   * @param end midnight after the last day
   */
  public static void write(
      SparkSession spark, Path folder, long rows, long users, long seed, Instant end) {
    // The cube puts half of the events on an eighth of the users.
    String user = "1 + CAST(floor(%d * pow(%s, 3)) AS BIGINT)".formatted(users, uniform(seed, 1));
    // The one of two times of day that is nearer to noon, so that activity peaks there.
    String hour =
        "IF(abs(%1$s - 0.5D) < abs(%2$s - 0.5D), %1$s, %2$s)"
            .formatted(uniform(seed, 2), uniform(seed, 3));
    // Box–Muller: the amount's logarithm is normal.
    String normal =
        "sqrt(-2 * ln(%s)) * cos(2 * pi() * %s)".formatted(uniform(seed, 4), uniform(seed, 5));
    String countries = "array('DE', 'FR', 'IT', 'ES', 'NL', 'PL', 'SE', 'US', 'GB', 'JP')";
    // Low indexes are likelier, so some countries have most of the users.
    String home = "pow((pmod(xxhash64(user_id, %d), 1000) + 0.5D) / 1000, 2)".formatted(seed);
    String abroad = "%s < 0.07D".formatted(uniform(seed, 6));
    // 2 % of all payments, far more for a few users: something for a model to learn.
    String declinedShare =
        "0.15D * pow((pmod(xxhash64(user_id, %d, 10), 1000) + 0.5D) / 1000, 6)".formatted(seed);
    spark
        .range(rows)
        .selectExpr(
            "id",
            user + " AS user_id",
            "CAST(pmod(id, %d) AS INT) AS day".formatted(DAYS),
            hour + " AS hour",
            normal + " AS normal",
            abroad + " AS abroad",
            uniform(seed, 7) + " AS place",
            uniform(seed, 8) + " AS shop",
            uniform(seed, 9) + " AS luck")
        .selectExpr(
            "id AS transaction_id",
            "user_id",
            "timestamp_micros(%dL + day * 86400000000L + CAST(hour * 86400000000D AS BIGINT)) AS event_time"
                .formatted(end.getEpochSecond() * 1_000_000L - DAYS * 86_400_000_000L),
            "CAST(exp(3.2D + 0.9D * normal) AS DECIMAL(12,2)) AS amount",
            "element_at(%s, 1 + CAST(floor(10 * IF(abroad, place, %s)) AS INT)) AS country"
                .formatted(countries, home),
            "concat('m', CAST(floor(5000 * pow(shop, 2)) AS INT)) AS merchant",
            "IF(luck < %s, 'declined', 'approved') AS status".formatted(declinedShare))
        .selectExpr("*", "date(event_time) AS dt")
        .createOrReplaceTempView("demo_events");
    spark
        .sql(
            "SELECT /*+ REPARTITION(%d, dt, file) */ *, pmod(transaction_id, %d) AS file FROM demo_events"
                .formatted(DAYS, 1 + rows / DAYS / EVENTS_PER_FILE))
        .drop("file")
        .write()
        .mode(SaveMode.Overwrite)
        .partitionBy("dt")
        .parquet(folder.toString());
    spark.catalog().dropTempView("demo_events");
  }

  private static String uniform(long seed, int which) {
    return "(" + UNIFORM.formatted(seed, which) + ")";
  }
}
