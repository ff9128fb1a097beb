package dev.tarn.etl.compute;

import dev.tarn.etl.catalog.AsOfSeries;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.NewestRows;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * The records that a table with history {@code changes} stores. Those of an as-of are the
 * difference between the rows of the as-of before and its own:
 *
 * <ul>
 *   <li>an entity that is new or has other values: its row;
 *   <li>one that has no row any more: the row it had, with {@code present_until} the as-of before;
 *   <li>one whose row is the same, bit for bit: nothing.
 * </ul>
 *
 * <p>So the newest record of an entity up to an as-of tells its row there, and whether it has one.
 */
final class Changes {

  private static final String BEFORE = "_tarn_before";
  private static final String AFTER = "_tarn_after";

  private final FeatureView view;
  private final Dataset<Row> stored;
  private final AsOfSeries asOfs;

  /**
   * The changes to a table.
   *
   * @param stored all records of the snapshot that is built on, under the schema of the view
   * @param asOfs those of that snapshot
   */
  Changes(FeatureView view, Dataset<Row> stored, AsOfSeries asOfs) {
    this.view = view;
    this.stored = stored;
    this.asOfs = asOfs;
  }

  /**
   * The as-ofs whose records {@link #records} gives anew: the one that is built, and the one after
   * it, since its records tell the difference from the one before.
   */
  List<Instant> touched(Instant asOf) {
    return Stream.concat(Stream.of(asOf), asOfs.after(asOf).stream()).toList();
  }

  /** The records of the {@link #touched} as-ofs, given the rows of the one that is built. */
  Dataset<Row> records(Instant asOf, Dataset<Row> rows) {
    Optional<Instant> before = asOfs.before(asOf);
    Dataset<Row> records =
        difference(
            before.orElse(Instant.EPOCH),
            before.map(this::rowsAt).orElseGet(() -> rows.limit(0)),
            asOf,
            rows);
    return asOfs
        .after(asOf)
        .map(after -> records.unionByName(difference(asOf, rows, after, rowsAt(after))))
        .orElse(records);
  }

  /** The number of rows of the newest as-of before one that has any. */
  Optional<Long> rowsBefore(Instant asOf) {
    for (Optional<Instant> before = asOfs.before(asOf);
        before.isPresent();
        before = asOfs.before(before.get())) {
      long rows = rowsAt(before.get()).count();
      if (rows > 0) {
        return Optional.of(rows);
      }
    }
    return Optional.empty();
  }

  /** Restores the rows that the build of an as-of computed. */
  private Dataset<Row> rowsAt(Instant asOf) {
    Column isThere = functions.col(FeatureView.EVENT_TIMESTAMP).leq(at(asOf));
    return NewestRows.of(stored.filter(isThere), view.entity().keyNames())
        .filter(functions.col(FeatureView.PRESENT_UNTIL).isNull());
  }

  private Dataset<Row> difference(
      Instant before, Dataset<Row> rowsBefore, Instant after, Dataset<Row> rowsAfter) {
    Column was = functions.col(BEFORE);
    Column is = functions.col(AFTER);
    Column isSame = was.isNotNull().and(is.isNotNull());
    List<Column> columns = new ArrayList<>(keys());
    columns.add(at(after).as(FeatureView.EVENT_TIMESTAMP));
    columns.add(functions.when(is.isNull(), at(before)).as(FeatureView.PRESENT_UNTIL));
    for (var feature : view.features()) {
      Column old = was.getField(feature.name());
      Column now = is.getField(feature.name());
      isSame = isSame.and(isSame(old, now, feature.type()));
      columns.add(functions.when(is.isNull(), old).otherwise(now).as(feature.name()));
    }
    return packed(rowsBefore, BEFORE)
        .join(
            packed(rowsAfter, AFTER),
            JavaConverters.asScalaBuffer(view.entity().keyNames()).toSeq(),
            "full_outer")
        .filter(functions.not(isSame))
        .select(columns.toArray(new Column[0]));
  }

  /** The keys, and the features as one column: null after the join where there is no row. */
  private Dataset<Row> packed(Dataset<Row> rows, String name) {
    List<Column> columns = new ArrayList<>(keys());
    columns.add(
        functions
            .struct(
                view.features().stream()
                    .map(feature -> functions.col("`" + feature.name() + "`"))
                    .toArray(Column[]::new))
            .as(name));
    return rows.select(columns.toArray(new Column[0]));
  }

  private List<Column> keys() {
    return view.entity().keyNames().stream().map(key -> functions.col("`" + key + "`")).toList();
  }

  /**
   * Whether two values are the same, bit for bit; never null. To Spark 0.0 equals -0.0, which only
   * their text tells apart; NaN is one value.
   */
  static Column isSame(Column one, Column other, DataType type) {
    Column isEqual = one.eqNullSafe(other);
    if (!hasFloats(type)) {
      return isEqual;
    }
    Column isSameText = one.cast("string").eqNullSafe(other.cast("string"));
    boolean isPlain = !(type instanceof ArrayType || type instanceof StructType);
    // The text of a number takes long to make, and only that of a zero is needed.
    return isEqual.and(
        isPlain ? functions.not(one.eqNullSafe(functions.lit(0))).or(isSameText) : isSameText);
  }

  private static boolean hasFloats(DataType type) {
    if (type instanceof ArrayType array) {
      return hasFloats(array.elementType());
    }
    if (type instanceof StructType struct) {
      return Stream.of(struct.fields()).map(StructField::dataType).anyMatch(Changes::hasFloats);
    }
    return type.equals(DataTypes.DoubleType) || type.equals(DataTypes.FloatType);
  }

  private static Column at(Instant instant) {
    return functions.lit(instant);
  }
}
