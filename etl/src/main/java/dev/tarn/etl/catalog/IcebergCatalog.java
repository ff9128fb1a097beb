package dev.tarn.etl.catalog;

import com.typesafe.config.Config;
import dev.tarn.cli.Hocon;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.SupportsNamespaces;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.exceptions.NoSuchTableException;

/**
 * The Iceberg catalog that holds the feature tables and the ledgers, with the namespace of the
 * setting {@code database}. In SQL the catalog is called {@code tarn} and a view's table {@code
 * tarn.features.VIEW}.
 *
 * <p>{@link #open} needs no Spark. A job that has a Spark session takes the catalog of that session
 * instead ({@link #of}), so that both work with the same one.
 */
public final class IcebergCatalog implements AutoCloseable {

  /** The catalog's name in Spark and, for JDBC catalogs, in the database. */
  public static final String NAME = "tarn";

  private final Catalog iceberg;
  private final Configuration hadoop;
  private final Namespace namespace;
  private final String address;

  private IcebergCatalog(
      Catalog iceberg, Configuration hadoop, Namespace namespace, String address) {
    this.iceberg = iceberg;
    this.hadoop = hadoop;
    this.namespace = namespace;
    this.address = address;
  }

  /**
   * Opens the catalog with the settings that Spark would get, but without Spark.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static IcebergCatalog open(Settings settings) {
    Map<String, String> spark = sparkProperties(settings);
    Map<String, String> properties = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    properties.putAll(below("spark.sql.catalog." + NAME + ".", spark));
    properties.putAll(properties(settings));
    Configuration hadoop = new Configuration();
    // Found on the class path, or not at all.
    hadoop.addResource("hive-site.xml");
    below("spark.hive.", spark).forEach((name, value) -> hadoop.set("hive." + name, value));
    below("spark.hadoop.", spark).forEach(hadoop::set);
    below("hadoop.", properties).forEach(hadoop::set);
    return of(settings, hadoop, () -> CatalogUtil.buildIcebergCatalog(NAME, properties, hadoop));
  }

  /**
   * Takes a catalog that is opened in another way, such as the one of a Spark session.
   *
   * @throws TarnException if the catalog can't be reached
   */
  public static IcebergCatalog of(
      Settings settings, Configuration hadoop, Supplier<Catalog> opened) {
    Map<String, String> properties = flat(settings.read(tarn -> tarn.getConfig("catalog")));
    String address = properties.getOrDefault("uri", properties.getOrDefault("type", "?"));
    String database = settings.read(tarn -> tarn.getString("database"));
    try {
      IcebergCatalog catalog =
          new IcebergCatalog(opened.get(), hadoop, Namespace.of(database.split("\\.")), address);
      catalog.makeNamespace(catalog.namespace);
      return catalog;
    } catch (RuntimeException e) {
      throw new TarnException(
          "can't use the Iceberg catalog at %s (settings below 'catalog'): %s"
              .formatted(address, Causes.reason(e)),
          e);
    }
  }

  /**
   * The settings below {@code catalog}, which Iceberg gets as they are, and how long to wait for a
   * database. Makes the folder of a SQLite file, which SQLite itself does not do.
   */
  public static Map<String, String> properties(Settings settings) {
    Map<String, String> properties = flat(settings.read(tarn -> tarn.getConfig("catalog")));
    makeParentOfSqlite(properties.getOrDefault("uri", ""));
    JdbcTrouble.addPatience(properties);
    return properties;
  }

  /** The settings below {@code spark}, by the names that Spark has for them. */
  public static Map<String, String> spark(Settings settings) {
    Map<String, String> properties = new TreeMap<>();
    flat(settings.read(tarn -> tarn.getConfig("spark")))
        .forEach((name, value) -> properties.put("spark." + name, value));
    return properties;
  }

  /** The catalog itself, for what this class does not offer. */
  public Catalog iceberg() {
    return iceberg;
  }

  /** The configuration with which files are read and written outside of tables. */
  public Configuration hadoop() {
    return hadoop;
  }

  /** The name of a table in the catalog. */
  public TableIdentifier table(String name) {
    return TableIdentifier.of(namespace, name);
  }

  /** The same name as SQL writes it, e.g. {@code tarn.features.user_activity}. */
  public String sqlName(String name) {
    return NAME + "." + namespace + "." + name;
  }

  /** A table; empty if there is none of that name. */
  public Optional<Table> find(String name) {
    return find(table(name));
  }

  /** A table of any namespace. */
  public Optional<Table> find(TableIdentifier name) {
    try {
      return Optional.of(iceberg.loadTable(name));
    } catch (NoSuchTableException e) {
      return Optional.empty();
    }
  }

  /** Whether a table is in the namespace of the feature tables and ledgers. */
  boolean isOfFeatures(TableIdentifier name) {
    return name.namespace().equals(namespace);
  }

  /** Removes a table and its files, if it is there. */
  public void drop(String name) {
    iceberg.dropTable(table(name), true);
  }

  /** The place of the catalog, for messages. */
  public String address() {
    return address;
  }

  /** Closes the connections. Not to be called for the catalog of a Spark session. */
  @Override
  public void close() {
    if (iceberg instanceof AutoCloseable closeable) {
      try {
        closeable.close();
      } catch (Exception e) { // AutoCloseable declares every exception
        throw new TarnException(
            "can't close the Iceberg catalog at %s: %s".formatted(address, Causes.reason(e)), e);
      }
    }
  }

  /** Makes a namespace, unless it is there. */
  void makeNamespace(Namespace name) {
    if (iceberg instanceof SupportsNamespaces namespaces && !namespaces.namespaceExists(name)) {
      try {
        namespaces.createNamespace(name);
      } catch (RuntimeException e) { // of a database each has its own
        if (!namespaces.namespaceExists(name)) {
          throw e;
        }
        // Another job was quicker.
      }
    }
  }

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
              .formatted(parent, Causes.reason(e)),
          new UncheckedIOException(e));
    }
  }

  /** Spark's properties: those that spark-submit has set, below those of the settings. */
  public static Map<String, String> sparkProperties(Settings settings) {
    Map<String, String> properties = new TreeMap<>();
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith("spark.")) {
        properties.put(name, System.getProperty(name));
      }
    }
    properties.putAll(spark(settings));
    return properties;
  }

  private static Map<String, String> below(String prefix, Map<String, String> properties) {
    Map<String, String> below = new TreeMap<>();
    properties.forEach(
        (name, value) -> {
          if (name.startsWith(prefix)) {
            below.put(name.substring(prefix.length()), value);
          }
        });
    return below;
  }

  private static Map<String, String> flat(Config config) {
    Map<String, String> flat = new TreeMap<>();
    Hocon.flat(config).forEach((name, value) -> flat.put(name, Hocon.text(value)));
    return flat;
  }
}
