package dev.tarn.etl.compute;

import dev.tarn.cli.Suggestion;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.SqlQuery;
import dev.tarn.etl.source.DatedTexts;
import dev.tarn.etl.source.SourceException;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.source.SqlFailures;
import dev.tarn.etl.window.WindowCheck;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.Option;

/** Checks a view's computation against its sources, and computes the rows of SQL for an as-of. */
public final class ViewQuery {

  private ViewQuery() {}

  /**
   * Checks the SQL against the view's definition by analysis alone: it reads no data, at most the
   * schema of a source that does not declare one.
   */
  public static void check(SparkSession spark, FeatureView view, Problems problems) {
    try {
      check(spark, view, SourceTables.declare(spark, view.sources()), problems);
    } catch (SourceException e) {
      problems.add(e.position(), e.problem());
    }
  }

  /** Checks as above, with the view's sources as {@link SourceTables#declared} gives them. */
  static void check(SparkSession spark, FeatureView view, SourceTables sources, Problems problems) {
    Problems ofTimestamps = new Problems();
    sources.checkTimestamps(ofTimestamps);
    if (!ofTimestamps.isEmpty()) {
      problems.addAll(ofTimestamps);
      return;
    }
    if (!(view.computation() instanceof SqlQuery query)) {
      WindowCheck.check(view, sources, problems);
      return;
    }
    List<String> names = view.sources().stream().map(Source::name).toList();
    try {
      List<String> found =
          Reproducible.problemsOf(
              query.text(), spark.sessionState().sqlParser().parsePlan(query.text()), names);
      refuse(view, query, found, problems);
      if (!found.isEmpty()) {
        return;
      }
      sources.show(Instant.EPOCH);
      Dataset<Row> analyzed = analyze(spark, query, Instant.EPOCH);
      found = Reproducible.problemsOf(analyzed.queryExecution().analyzed(), names);
      refuse(view, query, found, problems);
      if (!found.isEmpty()) {
        return;
      }
      StructType given = analyzed.schema();
      for (Entity.KeyColumn key : view.entity().keys()) {
        checkColumn(given, key.name(), key.type(), "key column", view, query.position(), problems);
      }
      for (Feature feature : view.features()) {
        checkColumn(
            given, feature.name(), feature.type(), "feature", view, feature.position(), problems);
      }
    } catch (Exception e) { // Scala does not declare AnalysisException
      problems.add(
          sqlLine(query, e), "the SQL of view '%s': %s".formatted(view.name(), reason(view, e)));
    } finally {
      sources.hide();
    }
  }

  /**
   * The rows of an as-of in the layout of the feature table: key columns, event timestamp,
   * features. The sources must be shown for this as-of.
   */
  static Dataset<Row> compute(SparkSession spark, FeatureView view, SqlQuery query, Instant asOf) {
    List<Column> columns = new ArrayList<>();
    view.entity().keyNames().forEach(key -> columns.add(functions.col("`" + key + "`")));
    columns.add(functions.lit(asOf).as(FeatureView.EVENT_TIMESTAMP));
    view.features().forEach(feature -> columns.add(functions.col("`" + feature.name() + "`")));
    return DatedTexts.required(analyze(spark, query, asOf)).select(columns.toArray(new Column[0]));
  }

  private static Dataset<Row> analyze(SparkSession spark, SqlQuery query, Instant asOf) {
    return spark.sql(query.text(), Map.of("as_of", asOf));
  }

  private static void refuse(
      FeatureView view, SqlQuery query, List<String> found, Problems problems) {
    found.forEach(
        problem ->
            problems.add(
                query.position(), "the SQL of view '%s': %s".formatted(view.name(), problem)));
  }

  private static void checkColumn(
      StructType given,
      String name,
      DataType type,
      String kind,
      FeatureView view,
      Position position,
      Problems problems) {
    List<String> columns = Arrays.asList(given.fieldNames());
    if (!columns.contains(name)) {
      problems.add(
          position,
          "the SQL of view '%s' does not give the %s '%s'%s"
              .formatted(view.name(), kind, name, Suggestion.forName(name, columns)));
      return;
    }
    if (columns.indexOf(name) != columns.lastIndexOf(name)) {
      problems.add(
          position, "the SQL of view '%s' gives two columns '%s'".formatted(view.name(), name));
      return;
    }
    DataType actual = given.apply(name).dataType();
    if (!SparkTypes.same(actual, type)) {
      problems.add(
          position,
          "%s '%s' is %s, but the SQL of view '%s' gives %s; write CAST(… AS %s) AS %s there"
              .formatted(
                  kind,
                  name,
                  type.simpleString(),
                  view.name(),
                  actual.simpleString(),
                  type.simpleString(),
                  name));
    }
  }

  private static String reason(FeatureView view, Exception e) {
    if (e instanceof AnalysisException analysis
        && "TABLE_OR_VIEW_NOT_FOUND".equals(analysis.getErrorClass())) {
      String table = analysis.getMessageParameters().getOrDefault("relationName", "?");
      List<String> sources = view.sources().stream().map(Source::name).toList();
      return "%s is none of the view's sources%s"
          .formatted(table.replace('`', '\''), Suggestion.forName(table.replace("`", ""), sources));
    }
    return SqlFailures.reason(e);
  }

  /** The line in the file: Spark counts from where the SQL begins. */
  private static Position sqlLine(SqlQuery query, Exception e) {
    if (e instanceof AnalysisException analysis) {
      Option<Object> line = analysis.line();
      if (line.isDefined()) {
        int offset = ((Number) line.get()).intValue() - 1;
        return new Position(query.position().file(), query.position().line() + offset);
      }
    }
    return query.position();
  }
}
