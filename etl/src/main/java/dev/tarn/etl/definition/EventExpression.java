package dev.tarn.etl.definition;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.analysis.SimpleAnalyzer$;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression$;
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser$;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.trees.TreePattern;
import org.apache.spark.sql.catalyst.types.DataTypeUtils;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.JavaConverters;
import scala.collection.Seq;
import scala.collection.immutable.List$;

/**
 * Spark SQL on one event of a source: its type, and why it can't be taken. No session is needed.
 */
public final class EventExpression {

  /**
   * The result of looking at an expression: a type, or a problem.
   *
   * @param problem the expression and what is wrong with it, to stand right behind the name of its
   *     key in a message
   */
  public record Resolved(Optional<DataType> type, Optional<String> problem) {

    private static Resolved problem(String sql, String text) {
      return new Resolved(Optional.empty(), Optional.of(" = %s %s".formatted(sql.strip(), text)));
    }
  }

  /** The problem of an expression that has nothing in it; see {@link Resolved#problem}. */
  static final String EMPTY =
      " is empty: write Spark SQL on one event, such as the name of a column, or leave it out";

  private EventExpression() {}

  /** Resolves an expression over the columns of a source. */
  public static Resolved resolve(String sql, StructType columns) {
    return SQLConf.withExistingConf(new SQLConf(), () -> resolved(sql, columns));
  }

  /** Resolves a condition over the columns of a source. */
  public static Resolved condition(String sql, StructType columns) {
    Resolved resolved = resolve(sql, columns);
    return resolved
        .type()
        .filter(type -> !type.equals(DataTypes.BooleanType))
        .map(
            type -> Resolved.problem(sql, "is %s, and no condition".formatted(type.simpleString())))
        .orElse(resolved);
  }

  private static Resolved resolved(String sql, StructType columns) {
    if (sql.isBlank()) {
      return new Resolved(Optional.empty(), Optional.of(EMPTY));
    }
    Expression expression;
    try {
      expression = CatalystSqlParser$.MODULE$.parseExpression(sql);
      NamedExpression named =
          new Alias(
              expression,
              "value",
              NamedExpression$.MODULE$.newExprId(),
              JavaConverters.<String>asScalaBuffer(List.of()).toSeq(),
              Option.empty(),
              JavaConverters.<String>asScalaBuffer(List.of()).toSeq());
      LogicalPlan plan =
          new Project(
              JavaConverters.asScalaBuffer(List.of(named)).toSeq(),
              new LocalRelation(attributes(columns), List$.MODULE$.empty(), false));
      LogicalPlan analyzed = SimpleAnalyzer$.MODULE$.execute(plan);
      SimpleAnalyzer$.MODULE$.checkAnalysis(analyzed);
      // Aggregates, windows and generators become steps of their own.
      if (!(analyzed instanceof Project project) || !(project.child() instanceof LocalRelation)) {
        return Resolved.problem(sql, "is no expression on one event that gives one value");
      }
      expression = (Expression) project.projectList().head();
    } catch (Exception e) { // Scala does not declare AnalysisException and ParseException
      return Resolved.problem(sql, "does not resolve: " + reason(e));
    }
    if (expression.containsPattern(TreePattern.PLAN_EXPRESSION())) {
      return Resolved.problem(sql, "reads other rows: write an expression on one event");
    }
    if (!expression.deterministic()
        || expression.containsPattern(TreePattern.CURRENT_LIKE())
        || ClockTexts.literal(sql).isPresent()
        || ClockTexts.constant(expression).isPresent()) {
      return Resolved.problem(
          sql, "depends on chance or on the clock, so another run would give other values");
    }
    return new Resolved(Optional.of(expression.dataType()), Optional.empty());
  }

  private static Seq<Attribute> attributes(StructType columns) {
    List<Attribute> attributes =
        new ArrayList<>(JavaConverters.seqAsJavaList(DataTypeUtils.toAttributes(columns)));
    return JavaConverters.asScalaBuffer(attributes).toSeq();
  }

  private static String reason(Exception failure) {
    String message = String.valueOf(failure.getMessage());
    return message
        .strip()
        .replaceFirst("^\\[[A-Z0-9_.]+] ", "")
        .replaceFirst("(?s)\\n.*", "")
        .replaceFirst("\\.? ?\\(line \\d+, pos \\d+\\)$", "")
        .replaceFirst("(?s)\\.?; line \\d+ pos \\d+(;.*)?$", "");
  }
}
