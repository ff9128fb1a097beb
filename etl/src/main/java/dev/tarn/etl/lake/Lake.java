package dev.tarn.etl.lake;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.IcebergCatalog;
import java.util.function.BiConsumer;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;

/**
 * Opens a Spark session over the lake and holds it together with the Iceberg catalog of the feature
 * tables. In SQL the catalog is called {@code tarn} and a view's table {@code tarn.features.VIEW}.
 */
public final class Lake implements AutoCloseable {

  private static final String CATALOG = "spark.sql.catalog." + IcebergCatalog.NAME;

  private final SparkSession spark;
  private final IcebergCatalog catalog;

  private Lake(SparkSession spark, IcebergCatalog catalog) {
    this.spark = spark;
    this.catalog = catalog;
  }

  /**
   * Starts Spark, or uses the session that spark-submit has set up, and connects the catalog.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static Lake open(Settings settings) {
    SparkConf conf = new SparkConf();
    if (!conf.contains("spark.master")) {
      conf.setMaster("local[*]");
    }
    if (conf.get("spark.master").startsWith("local")) {
      int cores = Runtime.getRuntime().availableProcessors();
      // Spark's default of 200 is meant for a cluster; on a laptop each costs more than it saves.
      conf.setIfMissing("spark.sql.shuffle.partitions", Integer.toString(2 * cores));
      conf.setIfMissing("spark.ui.enabled", "false");
      conf.setIfMissing("spark.driver.host", "127.0.0.1");
      conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
    }
    IcebergCatalog.spark(settings).forEach(conf::set);
    conf.setIfMissing("spark.app.name", "tarn");
    // A session's time zone decides what a date or a plain time means; features must not depend on
    // where the job happens to run.
    conf.set("spark.sql.session.timeZone", "UTC");
    // java.sql's dates shift before 1582; java.time's don't.
    conf.set("spark.sql.datetime.java8API.enabled", "true");
    String extensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions";
    if (!conf.get("spark.sql.extensions", "").contains(extensions)) {
      String others = conf.get("spark.sql.extensions", "");
      conf.set("spark.sql.extensions", others.isEmpty() ? extensions : others + "," + extensions);
    }
    addCatalog(settings, conf::set);
    SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
    try {
      return new Lake(spark, catalogOf(spark, settings));
    } catch (RuntimeException e) {
      spark.stop();
      throw e;
    }
  }

  /**
   * Uses a session that is somebody else's, such as a notebook's. Only the catalog {@code tarn} is
   * added to it, unless it has one. Don't close the result.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static Lake attach(SparkSession spark, Settings settings) {
    if (spark.conf().getOption(CATALOG).isEmpty()) {
      addCatalog(settings, spark.conf()::set);
    }
    return new Lake(spark, catalogOf(spark, settings));
  }

  public SparkSession spark() {
    return spark;
  }

  /** The catalog of the session, for what needs no rows. */
  public IcebergCatalog catalog() {
    return catalog;
  }

  /** The name of a table in SQL, e.g. {@code tarn.features.user_activity}. */
  public String sqlName(String table) {
    return catalog.sqlName(table);
  }

  @Override
  public void close() {
    spark.stop();
  }

  private static void addCatalog(Settings settings, BiConsumer<String, String> conf) {
    conf.accept(CATALOG, "org.apache.iceberg.spark.SparkCatalog");
    // Jobs must see what other jobs published a moment ago.
    conf.accept(CATALOG + ".cache-enabled", "false");
    IcebergCatalog.properties(settings)
        .forEach((name, value) -> conf.accept(CATALOG + "." + name, value));
  }

  /** The session's own catalog, so that SQL and what is done without it share its connections. */
  private static IcebergCatalog catalogOf(SparkSession spark, Settings settings) {
    return IcebergCatalog.of(
        settings,
        spark.sessionState().newHadoopConf(),
        () -> Spark3Util.loadIcebergCatalog(spark, IcebergCatalog.NAME));
  }
}
