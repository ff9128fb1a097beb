package dev.tarn.etl.lake;

import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.console.Causes;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.BiConsumer;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.internal.SQLConf;
import scala.Option;

/**
 * Opens a Spark session over the lake and holds it together with the Iceberg catalog of the feature
 * tables. In SQL the catalog is called {@code tarn} and a view's table {@code tarn.features.VIEW}.
 */
public final class Lake implements AutoCloseable {

  private static final String CATALOG = "spark.sql.catalog." + IcebergCatalog.NAME;

  /** Tarn's own session beside each session that programs have given. */
  private static final Map<SparkSession, SparkSession> BESIDE = new WeakHashMap<>();

  private final SparkSession spark;
  private final IcebergCatalog catalog;
  private final int maxIdBytes;
  private final boolean isOwner;

  private Lake(SparkSession spark, boolean isOwner, IcebergCatalog catalog, Settings settings) {
    this.spark = spark;
    this.isOwner = isOwner;
    this.catalog = catalog;
    maxIdBytes = settings.read(tarn -> tarn.getInt("serving.max-id-bytes"));
  }

  /**
   * Starts Spark, or uses the session that there is, and connects the catalog. Closing the result
   * stops only a Spark that this call has started.
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
    String extensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions";
    if (!conf.get("spark.sql.extensions", "").contains(extensions)) {
      String others = conf.get("spark.sql.extensions", "");
      conf.set("spark.sql.extensions", others.isEmpty() ? extensions : others + "," + extensions);
    }
    addCatalog(settings, conf::set);
    boolean isOwner = !isSparkThere();
    SparkSession spark = start(conf);
    try {
      return new Lake(spark, isOwner, catalogOf(spark, settings), settings);
    } catch (RuntimeException e) {
      if (isOwner) {
        spark.stop();
      }
      throw e;
    }
  }

  private static boolean isSparkThere() {
    Option<SparkSession> session = SparkSession.getDefaultSession();
    return session.isDefined() && !session.get().sparkContext().isStopped();
  }

  private static SparkSession start(SparkConf conf) {
    try {
      SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
      SessionSettings.fix(spark);
      return spark;
    } catch (Exception e) { // Scala does not declare what it throws
      throw new TarnException(
          "Spark can't start (settings below 'spark'): %s".formatted(Causes.reason(e)), e);
    }
  }

  /**
   * Uses the Spark of a session that is somebody else's, such as a notebook's. Only the catalog
   * {@code tarn} is added to it, unless it has one. What is read and written goes through a session
   * of Tarn's own beside it, with its settings but for those that decide what data mean. Closing
   * the result stops nothing.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static Lake attach(SparkSession spark, Settings settings) {
    if (spark.conf().getOption(CATALOG).isEmpty()) {
      addCatalog(settings, spark.conf()::set);
    }
    SparkSession own;
    synchronized (BESIDE) {
      own = BESIDE.computeIfAbsent(spark, SparkSession::newSession);
      SessionSettings.copy(spark, own);
      SessionSettings.fix(own);
    }
    return new Lake(own, false, catalogOf(own, settings), settings);
  }

  /**
   * The settings of the sessions, without one: what an expression gives under them is what it gives
   * in a build.
   */
  public static SQLConf sqlSettings(Settings settings) {
    return SessionSettings.conf(IcebergCatalog.sparkProperties(settings));
  }

  /** The same rows as a dataset of this lake's session. */
  public Dataset<Row> adopt(Dataset<Row> rows) {
    return rows.sparkSession() == spark
        ? rows
        : Dataset.ofRows(spark, rows.queryExecution().analyzed());
  }

  public SparkSession spark() {
    return spark;
  }

  /** The catalog of the session, for what needs no rows. */
  public IcebergCatalog catalog() {
    return catalog;
  }

  /** The longest entity id that servers answer, so that no row is built that nobody can get. */
  public int maxIdBytes() {
    return maxIdBytes;
  }

  /** The name of a table in SQL, e.g. {@code tarn.features.user_activity}. */
  public String sqlName(String table) {
    return catalog.sqlName(table);
  }

  @Override
  public void close() {
    if (isOwner) {
      spark.stop();
    }
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
        // By this session's settings: otherwise it would go by those of the thread's session.
        () ->
            SQLConf.withExistingConf(
                spark.sessionState().conf(),
                () -> Spark3Util.loadIcebergCatalog(spark, IcebergCatalog.NAME)));
  }
}
