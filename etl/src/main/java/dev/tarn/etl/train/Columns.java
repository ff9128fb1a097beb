package dev.tarn.etl.train;

import dev.tarn.etl.window.EntityColumns;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Names the columns that a join adds for itself, and makes columns that several classes need. */
final class Columns {

  /** Prefix of the names that are not the user's. */
  static final String PREFIX = EntityColumns.PREFIX;

  /** The spine's row, as a struct. */
  static final String SPINE = PREFIX + "spine";

  /** Microseconds since 1970 of a row of the spine or of a view. */
  static final String MICROS = EntityColumns.MICROS;

  private Columns() {}

  /** A column by its name, whatever characters that has. */
  static Column named(String name) {
    return functions.col("`" + name.replace("`", "``") + "`");
  }

  /** Name of the column in which a row gets its struct of a view. */
  static String view(int index) {
    return PREFIX + "view" + index;
  }

  /** A column with an order and a hash for values that have none of their own. */
  static Column comparable(Column column, DataType type) {
    return hasMap(type) ? column.cast("string") : column;
  }

  /**
   * Columns that order rows which a plain sort would leave in any order: to Spark -0.0 equals 0.0,
   * and maps have no order.
   */
  static Stream<Column> order(Column column, DataType type) {
    if (hasMap(type)) {
      return Stream.of(column.cast("string"));
    }
    return hasFloat(type) ? Stream.of(column, column.cast("string")) : Stream.of(column);
  }

  private static boolean hasMap(DataType type) {
    return type instanceof MapType
        || (type instanceof ArrayType array && hasMap(array.elementType()))
        || (type instanceof StructType struct
            && Stream.of(struct.fields()).map(StructField::dataType).anyMatch(Columns::hasMap));
  }

  private static boolean hasFloat(DataType type) {
    return type.equals(DataTypes.DoubleType)
        || type.equals(DataTypes.FloatType)
        || (type instanceof ArrayType array && hasFloat(array.elementType()))
        || (type instanceof StructType struct
            && Stream.of(struct.fields()).map(StructField::dataType).anyMatch(Columns::hasFloat));
  }
}
