package dev.tarn.etl.train;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.input.InputFiles;
import dev.tarn.etl.input.ParquetInput;
import dev.tarn.etl.lake.Lake;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Writes a training set to a folder of Parquet files with its manifest, or to an Iceberg table. The
 * set is there whole or not at all: files are written beside the folder and renamed, a table is
 * committed once.
 */
public final class Output {

  /** The manifest's file in the folder; readers of Parquet pass over names that begin so. */
  static final String MANIFEST_FILE = "_manifest.json";

  /** The property of a table that holds the manifest. */
  static final String MANIFEST_PROPERTY = "tarn.manifest";

  private final SparkSession spark;
  private final String location;
  private final boolean isTable;

  private Output(SparkSession spark, String location) {
    this.spark = spark;
    this.location = location;
    this.isTable = isTable(location);
  }

  /**
   * An output that may be written.
   *
   * @throws UsageException if something is there, and it is not a training set to be replaced
   */
  public static Output of(Lake lake, String location, boolean overwrite) {
    Output output = new Output(lake.spark(), location);
    if (location.toLowerCase(Locale.ROOT).matches(".*\\.(csv|json)(\\.gz)?")) {
      throw new UsageException(
          "out=%s: a training set is a folder of Parquet files, or an Iceberg table"
              .formatted(location));
    }
    output.requirePlace();
    if (output.exists()) {
      if (!overwrite) {
        throw new UsageException(
            "out=%s is there already: give another name, or overwrite=true".formatted(location));
      }
      if (!output.isTrainingSet()) {
        throw new UsageException(
            "out=%s is not a training set, so it is not overwritten: give another name"
                .formatted(location));
      }
    }
    return output;
  }

  /** Refuses a place that nothing can be written to, before hours of work say so. */
  private void requirePlace() {
    if (isTable) {
      requireCatalog();
      return;
    }
    try {
      Path path = InputFiles.path(location);
      if (path.toUri().getPath().contains(":")) {
        throw new UsageException(
            "out=%s: a folder of Parquet files can't have a ':' in its path".formatted(location));
      }
      FileSystem files = fileSystem();
      Path above = files.makeQualified(path).getParent();
      while (above != null && !files.exists(above)) {
        above = above.getParent();
      }
      if (above != null && !files.getFileStatus(above).isDirectory()) {
        throw new UsageException("out=%s: %s is no folder".formatted(location, above));
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new UsageException(
          "out=%s can't be written: %s".formatted(location, Causes.reason(e)), e);
    }
  }

  private void requireCatalog() {
    String[] names = location.split("\\.", -1);
    String catalog = "spark.sql.catalog." + names[0];
    if (spark.conf().getOption(catalog).isEmpty()) {
      throw new UsageException(
          "out=%s: there is no catalog '%s' (settings below spark, sql.catalog.…)"
              .formatted(location, names[0]));
    }
    String[] namespace = Arrays.copyOfRange(names, 1, names.length - 1);
    // A Hadoop catalog makes namespaces as it goes.
    boolean isHadoop = "hadoop".equalsIgnoreCase(spark.conf().get(catalog + ".type", ""));
    if (!isHadoop
        && namespace.length > 0
        && spark.sessionState().catalogManager().catalog(names[0])
            instanceof SupportsNamespaces namespaces
        && !namespaces.namespaceExists(namespace)) {
      throw new UsageException(
          "out=%s: catalog '%s' has no namespace '%s': CREATE NAMESPACE makes one"
              .formatted(location, names[0], String.join(".", namespace)));
    }
  }

  /** Whether a name is that of a table, e.g. {@code lake.sets.fraud}, and not a path. */
  static boolean isTable(String location) {
    return location.matches("\\w+(\\.\\w+)+")
        && !location.toLowerCase(Locale.ROOT).matches(".*\\.(parquet|csv|json|gz)")
        && !java.nio.file.Files.exists(java.nio.file.Path.of(location));
  }

  /**
   * Writes the rows and the manifest.
   *
   * @param rows as many as {@code count}, in their order; working them out may fail, too
   * @throws TarnException if that fails; then nothing of it is there
   */
  void write(Supplier<Dataset<Row>> rows, long count, String id, String manifest) {
    try {
      if (isTable) {
        writeTable(rows.get(), count, manifest);
      } else {
        writeFolder(rows.get(), count, id, manifest);
      }
    } catch (TarnException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare what it throws
      throw new TarnException(
          "the training set could not be written to %s; nothing is left there: %s"
              .formatted(location, Causes.reason(e)),
          e);
    }
  }

  private boolean exists() {
    try {
      return isTable
          ? spark.catalog().tableExists(location)
          : fileSystem().exists(InputFiles.path(location));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private boolean isTrainingSet() {
    try {
      return isTable
          ? spark
                  .sql("SHOW TBLPROPERTIES " + location)
                  .filter("key = '%s'".formatted(MANIFEST_PROPERTY))
                  .count()
              > 0
          : fileSystem().exists(new Path(InputFiles.path(location), MANIFEST_FILE));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void writeTable(Dataset<Row> rows, long count, String manifest) throws Exception {
    boolean isThere = exists();
    var writer = rows.writeTo(location).using("iceberg").tableProperty(MANIFEST_PROPERTY, manifest);
    if (isThere) {
      writer.replace();
    } else {
      writer.create();
    }
    try {
      requireAll(spark.table(location).count(), count);
    } catch (TarnException e) {
      var unused = spark.sql("DROP TABLE %s PURGE".formatted(location));
      throw e;
    }
  }

  private void writeFolder(Dataset<Row> rows, long count, String id, String manifest)
      throws IOException {
    Path out = InputFiles.path(location);
    Path staging =
        new Path(
            out.getParent() == null ? new Path(".") : out.getParent(),
            ".%s.%s".formatted(out.getName(), id));
    FileSystem files = fileSystem();
    try {
      rows.write().parquet(staging.toString());
      requireAll(
          ParquetInput.reader(spark).schema(rows.schema()).parquet(staging.toString()).count(),
          count);
      FileStatus[] written = files.listStatus(staging);
      makeReproducible(written, footer(rows.schema()));
      for (FileStatus file : written) {
        files.delete(file.getPath(), false);
      }
      try (OutputStream stream = files.create(new Path(staging, MANIFEST_FILE))) {
        stream.write(manifest.getBytes(StandardCharsets.UTF_8));
      }
      if (files.exists(out)) {
        files.delete(out, true);
      }
      rename(files, staging, out);
    } finally {
      files.delete(staging, true);
    }
  }

  /**
   * Replaces each of Spark's files with one that has no id in its name and always the same bytes.
   */
  private void makeReproducible(FileStatus[] written, Map<String, String> footer) {
    List<String> parts =
        Arrays.stream(written)
            .map(file -> file.getPath().toString())
            .filter(path -> new Path(path).getName().startsWith("part-"))
            .toList();
    SerializableConfiguration configuration =
        new SerializableConfiguration(spark.sessionState().newHadoopConf());
    JavaSparkContext.fromSparkContext(spark.sparkContext())
        .parallelize(parts, parts.size())
        .foreach(
            part -> {
              Path from = new Path(part);
              String name = from.getName().substring(0, "part-00000".length()) + ".parquet";
              CanonicalParquet.copy(
                  from, new Path(from.getParent(), name), footer, configuration.value());
            });
  }

  /** What a file says besides its schema: the names of the vector's numbers, in JSON. */
  private static Map<String, String> footer(StructType schema) {
    Map<String, String> footer = new TreeMap<>();
    for (StructField field : schema.fields()) {
      if (field.metadata().contains(TrainingRead.VECTOR_NAMES)) {
        footer.put(
            TrainingRead.VECTOR_NAMES,
            Json.of(List.of(field.metadata().getStringArray(TrainingRead.VECTOR_NAMES))));
      }
    }
    return footer;
  }

  /** Refuses a set that lacks rows: a spine that changes while it is read could lose some. */
  private void requireAll(long written, long count) {
    if (written != count) {
      throw new TarnException(
          "the spine has %s and %,d %s written: it has changed meanwhile"
              .formatted(Plural.of(count, "row"), written, Plural.choose(written, "was", "were")));
    }
  }

  private static void rename(FileSystem files, Path from, Path to) throws IOException {
    if (!files.rename(from, to)) {
      throw new IOException("can't rename %s to %s".formatted(from, to));
    }
  }

  private FileSystem fileSystem() throws IOException {
    return InputFiles.path(location).getFileSystem(spark.sessionState().newHadoopConf());
  }
}
