package dev.tarn.etl.input;

import java.io.Serializable;
import java.util.Optional;
import org.apache.spark.sql.types.StructType;

/**
 * Says how the files of a source or a spine are read.
 *
 * @param label what messages call it, e.g. {@code source 'orders' (features/users.conf:2)}
 * @param isJson JSON, or else CSV
 * @param schema the columns in the files, in their order
 * @param partitions the columns in the names of folders
 * @param dialect of CSV; of JSON it has the encoding
 * @param timeColumn the column with each row's time; empty: there is none
 * @param isSpine a spine's times must name their zone, and its rows without one are refused later,
 *     with their number; a source's rows without one are refused, unless it says otherwise
 * @param allowsNoTime whether a source may have rows without a time
 * @param allowsMissing whether a file may lack columns, which are null then
 * @param allowsComments whether JSON may have comments
 */
record TextSpec(
    String label,
    boolean isJson,
    StructType schema,
    StructType partitions,
    CsvDialect dialect,
    TextFormats formats,
    String timeColumn,
    boolean isSpine,
    boolean allowsNoTime,
    boolean allowsMissing,
    boolean allowsComments)
    implements Serializable {

  /** Columns of files, then those of folders. */
  StructType all() {
    StructType all = schema;
    for (var field : partitions.fields()) {
      all = all.add(field);
    }
    return all;
  }

  TextColumn column(String name, org.apache.spark.sql.types.DataType type) {
    return isSpine && name.equals(timeColumn)
        ? TextColumn.zoned(name, type, formats)
        : TextColumn.ofFile(name, type, formats);
  }

  /** The index of the column that no row may lack. */
  Optional<Integer> requiredTime() {
    return timeColumn.isEmpty() || isSpine || allowsNoTime
        ? Optional.empty()
        : Optional.of(all().fieldIndex(timeColumn));
  }
}
