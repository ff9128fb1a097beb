package dev.tarn.etl.compute;

import dev.tarn.etl.definition.ClockTexts;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.analysis.ResolvedInlineTable;
import org.apache.spark.sql.catalyst.analysis.UnresolvedRelation;
import org.apache.spark.sql.catalyst.expressions.CallMethodViaReflection;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionWithRandomSeed;
import org.apache.spark.sql.catalyst.expressions.Nondeterministic;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.plans.logical.CTERelationRef;
import org.apache.spark.sql.catalyst.plans.logical.Command;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.OneRowRelation;
import org.apache.spark.sql.catalyst.plans.logical.ParsedStatement;
import org.apache.spark.sql.catalyst.plans.logical.Range;
import org.apache.spark.sql.catalyst.plans.logical.Sample;
import org.apache.spark.sql.catalyst.plans.logical.ScriptTransformation;
import org.apache.spark.sql.catalyst.plans.logical.SubqueryAlias;
import org.apache.spark.sql.catalyst.plans.logical.UnresolvedWith;
import org.apache.spark.sql.catalyst.plans.logical.View;
import scala.collection.JavaConverters;

/**
 * Refuses SQL whose rows depend on more than the view's sources and the as-of. What is built must
 * be what another run, or a backfill of that as-of years later, gives.
 */
final class Reproducible {

  private static final String CLOCK =
      "%s is the clock of the machine, so no as-of of the past could be built again; use :as_of";

  private static final String SESSION = "%s depends on where and by whom the job is run";

  /** Expressions that Spark takes for deterministic, as they don't change within one query. */
  private static final Map<String, String> FUNCTIONS =
      Map.ofEntries(
          Map.entry("CurrentDate", CLOCK),
          Map.entry("CurrentTimestamp", CLOCK),
          Map.entry("CurrentTimestampLike", CLOCK),
          Map.entry("Now", CLOCK),
          Map.entry("LocalTimestamp", CLOCK),
          Map.entry("CurrentBatchTimestamp", CLOCK),
          Map.entry("CurrentUser", SESSION),
          Map.entry("CurrentDatabase", SESSION),
          Map.entry("CurrentCatalog", SESSION),
          Map.entry("CurrentTimeZone", SESSION),
          Map.entry("SparkVersion", SESSION),
          Map.entry("InputFileName", "%s says how a source is stored, not what it has"),
          Map.entry("InputFileBlockStart", "%s says how a source is stored, not what it has"),
          Map.entry("InputFileBlockLength", "%s says how a source is stored, not what it has"),
          Map.entry("CallMethodViaReflection", "%s calls what is no SQL"));

  private static final String CHANCE =
      "%s is chance: another run gives other values; take a hash of a key, e.g. xxhash64(…)";

  /** Texts, quoted names and comments. */
  private static final Pattern QUOTED =
      Pattern.compile(
          "'(?:[^'\\\\]|\\\\.)*'|\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|--[^\\n]*|/\\*.*?\\*/",
          Pattern.DOTALL);

  private static final Pattern TABLESAMPLE = Pattern.compile("(?i)\\btablesample\\b");

  private final Set<String> sources;
  private final Set<String> problems = new java.util.LinkedHashSet<>();

  private Reproducible(List<String> sources) {
    this.sources = new HashSet<>(sources);
  }

  /**
   * What is wrong with SQL that is parsed and not analyzed. Analysis looks for tables and runs
   * commands, so this must come before it.
   */
  static List<String> problemsOf(String sql, LogicalPlan parsed, List<String> sources) {
    Reproducible check = new Reproducible(sources);
    check.text(sql);
    check.parsed(parsed, Set.of());
    return new ArrayList<>(check.problems);
  }

  /**
   * What is wrong with SQL that is analyzed.
   *
   * @param sources the names of the temporary views that it may read
   */
  static List<String> problemsOf(LogicalPlan analyzed, List<String> sources) {
    Reproducible check = new Reproducible(sources);
    check.analyzed(analyzed, Optional.empty());
    return new ArrayList<>(check.problems);
  }

  private void text(String sql) {
    ClockTexts.literal(sql).ifPresent(this::clockText);
    if (TABLESAMPLE.matcher(QUOTED.matcher(sql).replaceAll(" ")).find()) {
      problems.add(CHANCE.formatted("TABLESAMPLE"));
    }
  }

  private void clockText(String text) {
    problems.add(CLOCK.formatted("'" + text + "'"));
  }

  private void parsed(LogicalPlan plan, Set<String> inherited) {
    Set<String> names = new HashSet<>(inherited);
    if (plan instanceof Command || plan instanceof ParsedStatement) {
      problems.add("it is no query: write SELECT …");
      return;
    }
    if (plan instanceof ScriptTransformation) {
      problems.add("TRANSFORM … USING runs a program of the machine, whose answer is not known");
    }
    if (plan instanceof UnresolvedWith with) {
      JavaConverters.seqAsJavaList(with.cteRelations())
          .forEach(
              cte -> {
                parsed(cte._2(), names);
                names.add(cte._1().toLowerCase(Locale.ROOT));
              });
    }
    if (plan instanceof UnresolvedRelation relation) {
      List<String> parts = JavaConverters.seqAsJavaList(relation.multipartIdentifier());
      if (parts.size() > 1) {
        relation(String.join(".", parts));
      }
      return;
    }
    children(plan).forEach(child -> parsed(child, names));
    subqueries(plan).forEach(child -> parsed(child, names));
  }

  private void analyzed(LogicalPlan plan, Optional<String> alias) {
    if (plan instanceof View view
        && view.isTempView()
        && sources.contains(view.desc().identifier().table())) {
      return;
    }
    if (plan instanceof Sample) {
      problems.add(CHANCE.formatted("TABLESAMPLE"));
    }
    List<LogicalPlan> children = children(plan);
    boolean isKnown =
        plan instanceof OneRowRelation
            || plan instanceof LocalRelation
            || plan instanceof Range
            || plan instanceof CTERelationRef
            || plan instanceof ResolvedInlineTable;
    if (plan instanceof View || (children.isEmpty() && !isKnown)) {
      relation(alias.orElse(plan.nodeName()));
      return;
    }
    JavaConverters.seqAsJavaList(plan.expressions()).forEach(this::expression);
    Optional<String> name =
        plan instanceof SubqueryAlias given
            ? Optional.of(given.identifier().toString())
            : Optional.empty();
    children.forEach(child -> analyzed(child, name));
    subqueries(plan).forEach(child -> analyzed(child, Optional.empty()));
  }

  private void relation(String name) {
    problems.add(
        "'%s' is none of the view's sources, so an as-of of the past would see what it has by now; declare it as a source, with its timestamp"
            .formatted(name));
  }

  private void expression(Expression expression) {
    String kind = expression.getClass().getSimpleName();
    String name = expression.prettyName().toLowerCase(Locale.ROOT);
    if (FUNCTIONS.containsKey(kind) || expression instanceof CallMethodViaReflection) {
      String reason = FUNCTIONS.getOrDefault(kind, FUNCTIONS.get("CallMethodViaReflection"));
      problems.add(reason.formatted(name + "()"));
    } else if (expression instanceof Nondeterministic
        || expression instanceof ExpressionWithRandomSeed) {
      problems.add(CHANCE.formatted(name + "()"));
    } else {
      ClockTexts.cast(expression).ifPresent(this::clockText);
    }
    JavaConverters.seqAsJavaList(expression.children()).forEach(this::expression);
  }

  private static List<LogicalPlan> children(LogicalPlan plan) {
    return JavaConverters.seqAsJavaList(plan.children());
  }

  private static List<LogicalPlan> subqueries(LogicalPlan plan) {
    List<LogicalPlan> found = new ArrayList<>();
    JavaConverters.seqAsJavaList(plan.expressions())
        .forEach(expression -> subqueries(expression, found));
    return found;
  }

  private static void subqueries(Expression expression, List<LogicalPlan> found) {
    if (expression instanceof SubqueryExpression subquery) {
      found.add(subquery.plan());
    }
    JavaConverters.seqAsJavaList(expression.children()).forEach(child -> subqueries(child, found));
  }
}
