package dev.tarn.etl.source;

import dev.tarn.cli.Suggestion;
import dev.tarn.etl.definition.ClockTexts;
import dev.tarn.etl.definition.Source;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.trees.TreePattern;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * The moment at which a row of a source happened: the source's {@code timestamp}, which is one of
 * its columns or an expression in SQL over them.
 */
final class SourceMoment {

  private static final String MOMENT = "_tarn_moment";

  private SourceMoment() {}

  /** The moment of each row as a column; a name that the source has is that column. */
  static Column of(String timestamp, Dataset<Row> table) {
    return isColumn(timestamp, table)
        ? functions.col("`" + timestamp.replace("`", "``") + "`")
        : functions.expr(timestamp);
  }

  /** The type of the moment, once {@link #problem} has found none. */
  static DataType type(String timestamp, Dataset<Row> table) {
    return table.withColumn(MOMENT, of(timestamp, table)).schema().apply(MOMENT).dataType();
  }

  /** Says what is wrong with a source's timestamp. Only the table's columns are looked at. */
  static Optional<String> problem(Source source, String timestamp, Dataset<Row> table) {
    List<String> columns = Arrays.asList(table.columns());
    if (!isColumn(timestamp, table) && timestamp.matches("[\\p{L}_][\\p{L}\\p{N}_]*")) {
      return Optional.of(
          "source '%s' has no column '%s' for its timestamp%s"
              .formatted(source.name(), timestamp, Suggestion.forName(timestamp, columns)));
    }
    DataType type;
    try {
      Column moment = of(timestamp, table);
      type =
          table
              .filter(moment.isNotNull())
              .withColumn(MOMENT, moment)
              .schema()
              .apply(MOMENT)
              .dataType();
      if (!isOfRow(table.withColumn(MOMENT, moment)) || ClockTexts.literal(timestamp).isPresent()) {
        return Optional.of(
            "source '%s': its timestamp '%s' says of no row when it happened: it must depend on the source's columns alone, and not on the clock or on chance"
                .formatted(source.name(), timestamp));
      }
    } catch (Exception e) { // Scala does not declare AnalysisException and ParseException
      return Optional.of(
          "source '%s': its timestamp '%s' is neither a column nor an expression over its columns (%s): %s"
              .formatted(
                  source.name(), timestamp, String.join(", ", columns), SqlFailures.reason(e)));
    }
    if (isMoment(type)) {
      return Optional.empty();
    }
    // Spark would compare it anyway and leave out what it can't convert to a moment.
    return Optional.of(
        "source '%s': its timestamp '%s' is %s; it must be timestamp or date"
            .formatted(source.name(), timestamp, type.simpleString()));
  }

  private static boolean isOfRow(Dataset<Row> withMoment) {
    Expression moment = withMoment.queryExecution().analyzed().expressions().last();
    return moment.deterministic()
        && !moment.references().isEmpty()
        && !moment.containsPattern(TreePattern.CURRENT_LIKE())
        && !moment.containsPattern(TreePattern.PLAN_EXPRESSION())
        && ClockTexts.constant(moment).isEmpty();
  }

  /** Tells whether the moment is a column as it stands. */
  static boolean isColumn(String timestamp, Dataset<Row> table) {
    return Arrays.asList(table.columns()).contains(timestamp);
  }

  private static boolean isMoment(DataType type) {
    return type.equals(DataTypes.TimestampType)
        || type.equals(DataTypes.TimestampNTZType)
        || type.equals(DataTypes.DateType);
  }
}
