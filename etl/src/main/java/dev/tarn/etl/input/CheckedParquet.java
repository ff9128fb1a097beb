package dev.tarn.etl.input;

import java.io.Closeable;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.execution.datasources.PartitionedFile;
import org.apache.spark.sql.execution.datasources.parquet.ParquetFileFormat;
import org.apache.spark.sql.sources.Filter;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Function1;
import scala.collection.AbstractIterator;
import scala.collection.Iterator;
import scala.collection.Seq;
import scala.collection.immutable.Map;
import scala.runtime.AbstractFunction1;

/**
 * Spark's reader of Parquet, which refuses a text that is no UTF-8, with its file and column. Spark
 * looks at no text while it reads.
 */
public final class CheckedParquet extends ParquetFileFormat {
  private static final long serialVersionUID = 1L;

  @Override
  public Function1<PartitionedFile, Iterator<InternalRow>> buildReaderWithPartitionValues(
      SparkSession spark,
      StructType dataSchema,
      StructType partitionSchema,
      StructType requiredSchema,
      Seq<Filter> filters,
      Map<String, String> options,
      Configuration hadoop) {
    return new Reader(
        super.buildReaderWithPartitionValues(
            spark, dataSchema, partitionSchema, requiredSchema, filters, options, hadoop),
        requiredSchema);
  }

  /** Reads one file. */
  private static final class Reader
      extends AbstractFunction1<PartitionedFile, Iterator<InternalRow>> implements Serializable {
    private static final long serialVersionUID = 1L;

    private final Function1<PartitionedFile, Iterator<InternalRow>> unchecked;
    private final StructType columns;

    Reader(Function1<PartitionedFile, Iterator<InternalRow>> unchecked, StructType columns) {
      this.unchecked = unchecked;
      this.columns = columns;
    }

    @Override
    @SuppressWarnings("unchecked") // Spark hands over batches as if they were rows.
    public Iterator<InternalRow> apply(PartitionedFile file) {
      Iterator<?> rows =
          new CheckedRows(unchecked.apply(file), columns, file.filePath().toPath().toString());
      return (Iterator<InternalRow>) rows;
    }
  }

  /** The rows of a file; where Spark reads by column, batches of them. */
  private static final class CheckedRows extends AbstractIterator<Object> implements Closeable {

    private final Iterator<?> rows;
    private final StructField[] columns;
    private final int[] texts;
    private final String file;

    CheckedRows(Iterator<?> rows, StructType schema, String file) {
      this.rows = rows;
      this.columns = schema.fields();
      this.texts =
          IntStream.range(0, columns.length)
              .filter(i -> NestedTexts.isIn(columns[i].dataType()))
              .toArray();
      this.file = file;
    }

    @Override
    public boolean hasNext() {
      try {
        return rows.hasNext();
      } catch (ArithmeticException e) {
        throw new InputException(
            "%s has a time that microseconds since 1970 can't hold, in one of the columns %s: write the file anew without it"
                .formatted(file, times()),
            e);
      }
    }

    @Override
    public Object next() {
      Object next = rows.next();
      for (int text : texts) {
        if (next instanceof ColumnarBatch batch) {
          for (int i = 0; i < batch.numRows(); i++) {
            check(batch.getRow(i), text);
          }
        } else {
          check((InternalRow) next, text);
        }
      }
      return next;
    }

    private void check(InternalRow row, int column) {
      NestedTexts.visit(row, column, columns[column].dataType(), text -> check(text, column));
    }

    private void check(UTF8String text, int column) {
      if (Utf8Texts.isBroken(text)) {
        String shown = new String(text.getBytes(), StandardCharsets.UTF_8);
        throw new InputException(
            "column '%s' of %s has a text that is no UTF-8: '%s'; write the file anew in UTF-8, or say %s BINARY in the schema and decode it in the SQL: decode(%s, 'ISO-8859-1')"
                .formatted(
                    columns[column].name(),
                    file,
                    shown.length() > 100 ? shown.substring(0, 100) + "…" : shown,
                    columns[column].name(),
                    columns[column].name()));
      }
    }

    private String times() {
      return Arrays.stream(columns)
          .filter(
              column ->
                  column.dataType() instanceof TimestampType
                      || column.dataType() instanceof TimestampNTZType)
          .map(StructField::name)
          .collect(Collectors.joining(", "));
    }

    @Override
    public void close() throws IOException {
      if (rows instanceof Closeable closeable) {
        closeable.close();
      }
    }
  }
}
