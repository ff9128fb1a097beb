package dev.tarn.etl.lake;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigUtil;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Failures;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.SupportsNamespaces;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.spark.Spark3Util;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.SparkSession;

/**
 * The Spark session and, through it, the Iceberg catalog that holds the feature tables. In SQL the
 * catalog is called {@code tarn} and a view's table {@code tarn.features.VIEW}.
 */
public final class Lake implements AutoCloseable {

  /** The catalog's name in Spark and, for JDBC catalogs, in the database. */
  public static final String CATALOG = "tarn";

  private final SparkSession spark;
  private final Namespace namespace;
  private final String address;

  private Lake(SparkSession spark, Namespace namespace, String address) {
    this.spark = spark;
    this.namespace = namespace;
    this.address = address;
  }

  /**
   * Starts Spark, or uses the session that spark-submit has set up, and connects the catalog.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static Lake open(Settings settings) {
    Config tarn = settings.read(config -> config);
    SparkConf conf = new SparkConf();
    if (!conf.contains("spark.master")) {
      conf.setMaster("local[*]");
    }
    if (conf.get("spark.master").startsWith("local")) {
      int cores = Runtime.getRuntime().availableProcessors();
      // Spark's 200 are meant for a cluster: on a laptop they cost more than they divide.
      conf.setIfMissing("spark.sql.shuffle.partitions", Integer.toString(2 * cores));
      conf.setIfMissing("spark.ui.enabled", "false");
      conf.setIfMissing("spark.driver.host", "127.0.0.1");
      conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1");
    }
    flat(tarn.getConfig("spark")).forEach((key, value) -> conf.set("spark." + key, value));
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
    String prefix = "spark.sql.catalog." + CATALOG;
    conf.set(prefix, "org.apache.iceberg.spark.SparkCatalog");
    // Jobs must see what other jobs published a moment ago.
    conf.set(prefix + ".cache-enabled", "false");
    Map<String, String> catalog = flat(tarn.getConfig("catalog"));
    catalog.forEach((key, value) -> conf.set(prefix + "." + key, value));
    makeParentOfSqlite(catalog.getOrDefault("uri", ""));
    SparkSession spark = SparkSession.builder().config(conf).getOrCreate();
    String address = catalog.getOrDefault("uri", catalog.getOrDefault("type", "?"));
    Lake lake = new Lake(spark, Namespace.of(tarn.getString("database").split("\\.")), address);
    try {
      lake.makeNamespace();
    } catch (RuntimeException e) {
      spark.stop();
      throw unusable(address, e);
    }
    return lake;
  }

  private static TarnException unusable(String address, RuntimeException e) {
    return new TarnException(
        "can't use the Iceberg catalog at %s (settings below 'catalog'): %s"
            .formatted(address, Failures.reason(e)),
        e);
  }

  /**
   * Uses a session that is somebody else's, such as a notebook's: only the catalog {@code tarn} is
   * added to it, unless it has one. Not to be closed.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static Lake attach(SparkSession spark, Settings settings) {
    Config tarn = settings.read(config -> config);
    String prefix = "spark.sql.catalog." + CATALOG;
    Map<String, String> catalog = flat(tarn.getConfig("catalog"));
    if (spark.conf().getOption(prefix).isEmpty()) {
      spark.conf().set(prefix, "org.apache.iceberg.spark.SparkCatalog");
      spark.conf().set(prefix + ".cache-enabled", "false");
      catalog.forEach((key, value) -> spark.conf().set(prefix + "." + key, value));
      makeParentOfSqlite(catalog.getOrDefault("uri", ""));
    }
    String address = catalog.getOrDefault("uri", catalog.getOrDefault("type", "?"));
    Lake lake = new Lake(spark, Namespace.of(tarn.getString("database").split("\\.")), address);
    try {
      lake.makeNamespace();
      return lake;
    } catch (RuntimeException e) {
      throw unusable(address, e);
    }
  }

  public SparkSession spark() {
    return spark;
  }

  /** The Iceberg catalog, for what SQL can't do. */
  public Catalog catalog() {
    return Spark3Util.loadIcebergCatalog(spark, CATALOG);
  }

  /** Where a view's feature table is in the catalog. */
  public TableIdentifier table(String view) {
    return TableIdentifier.of(namespace, view);
  }

  /** The same table as SQL names it, e.g. {@code tarn.features.user_activity}. */
  public String sqlName(String view) {
    return CATALOG + "." + namespace + "." + view;
  }

  /** Where the catalog is, for messages. */
  public String address() {
    return address;
  }

  @Override
  public void close() {
    spark.stop();
  }

  private void makeNamespace() {
    if (catalog() instanceof SupportsNamespaces namespaces
        && !namespaces.namespaceExists(namespace)) {
      try {
        namespaces.createNamespace(namespace);
      } catch (AlreadyExistsException e) {
        // Another job was quicker.
      }
    }
  }

  /** SQLite makes its file but not the folder for it. */
  private static void makeParentOfSqlite(String uri) {
    String scheme = "jdbc:sqlite:";
    if (!uri.startsWith(scheme)) {
      return;
    }
    Path parent = Path.of(uri.substring(scheme.length())).toAbsolutePath().getParent();
    try {
      Files.createDirectories(parent);
    } catch (IOException e) {
      throw new TarnException(
          "can't make the folder %s for the catalog (setting catalog.uri): %s"
              .formatted(parent, Failures.reason(e)),
          new UncheckedIOException(e));
    }
  }

  private static Map<String, String> flat(Config config) {
    Map<String, String> flat = new TreeMap<>();
    config
        .entrySet()
        .forEach(
            entry ->
                flat.put(
                    String.join(".", ConfigUtil.splitPath(entry.getKey())),
                    entry.getValue().unwrapped().toString()));
    return flat;
  }
}
