package dev.tarn.etl.catalog;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Causes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.UpdateSchema;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.exceptions.AlreadyExistsException;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.types.Types;

/**
 * An Iceberg table of Tarn's own, beside the feature tables, to which rows are only added. It is
 * made by the first job that writes to it, and columns that a newer Tarn has are added to it. All
 * of that, and reading and writing rows, needs no Spark.
 */
public final class Ledger {

  /** The names of the ledgers. */
  public static final String CUTS = "tarn_cuts";

  public static final String FITS = "tarn_fits";

  public static final String RELEASES = "tarn_releases";
  public static final String TRAINING_SETS = "tarn_manifests";
  public static final String VERIFICATIONS = "tarn_verifications";

  private final IcebergCatalog catalog;
  private final String name;
  private final Schema schema;

  /**
   * A ledger, whether its table is there already or not.
   *
   * @param schema new columns go to the end and allow nulls, since older rows don't have them
   */
  public Ledger(IcebergCatalog catalog, String name, Schema schema) {
    this.catalog = catalog;
    this.name = name;
    this.schema = schema;
  }

  /** The table; it is made if it is not there and gets the columns that it lacks. */
  public Table open() {
    Table table = catalog.find(name).orElseGet(this::create);
    if (isOlder(table)) {
      Commits.retry(
          () -> {
            table.refresh();
            UpdateSchema update = table.updateSchema();
            for (Types.NestedField column : schema.columns()) {
              if (table.schema().findField(column.name()) == null) {
                update.addColumn(column.name(), column.type());
              }
            }
            update.commit();
          });
    }
    return table;
  }

  /** An empty row. */
  public Record row() {
    return GenericRecord.create(schema);
  }

  /** Reads the rows for which a condition holds; none if the table is not there. */
  public List<Record> read(Expression condition) {
    return catalog.find(name).map(table -> read(table, condition)).orElse(List.of());
  }

  /** Reads the rows of a table for which a condition holds. */
  public static List<Record> read(Table table, Expression condition) {
    List<Record> rows = new ArrayList<>();
    try (CloseableIterable<Record> records = IcebergGenerics.read(table).where(condition).build()) {
      records.forEach(record -> rows.add(record.copy()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return rows;
  }

  /**
   * Adds rows in one commit.
   *
   * @param what they are, for the message
   * @throws TarnException if that fails
   */
  public void append(String what, List<Record> rows) {
    try {
      Table table = open();
      table.newAppend().appendFile(write(table, rows)).commit();
    } catch (RuntimeException e) {
      throw new TarnException(
          "%s can't be stored in %s: %s".formatted(what, catalog.table(name), Causes.reason(e)), e);
    }
  }

  /** Writes rows to a file that the table does not have yet. */
  public static DataFile write(Table table, List<Record> rows) {
    OutputFile file =
        table
            .io()
            .newOutputFile(
                table
                    .locationProvider()
                    .newDataLocation(
                        FileFormat.PARQUET.addExtension(UUID.randomUUID().toString())));
    try {
      DataWriter<Record> writer =
          Parquet.writeData(file)
              .forTable(table)
              .createWriterFunc(GenericParquetWriter::create)
              .build();
      try (writer) {
        rows.forEach(row -> writer.write(inOrder(table.schema(), row)));
      }
      return writer.toDataFile();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The row with the columns of the table, which may have some that this Tarn does not know. */
  private static Record inOrder(Schema columns, Record row) {
    Record ordered = GenericRecord.create(columns);
    columns
        .columns()
        .forEach(column -> ordered.setField(column.name(), row.getField(column.name())));
    return ordered;
  }

  private Table create() {
    try {
      return catalog.iceberg().createTable(catalog.table(name), schema);
    } catch (AlreadyExistsException e) {
      // Another job was quicker.
      return catalog.iceberg().loadTable(catalog.table(name));
    }
  }

  private boolean isOlder(Table table) {
    return schema.columns().stream()
        .anyMatch(column -> table.schema().findField(column.name()) == null);
  }
}
