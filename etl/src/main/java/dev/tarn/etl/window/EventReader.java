package dev.tarn.etl.window;

import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.DatedTexts;
import dev.tarn.row.EntityId;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.SimpleAnalyzer$;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.BasePredicate;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.Predicate;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.catalyst.optimizer.ConstantFolding;
import org.apache.spark.sql.catalyst.optimizer.OptimizeIn;
import org.apache.spark.sql.catalyst.optimizer.ReplaceExpressions;
import org.apache.spark.sql.catalyst.optimizer.SpecialDatetimeValues;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.types.DataTypeUtils;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;
import scala.collection.Seq;
import scala.collection.immutable.List$;

/**
 * Reads what a window view takes of one event: the entity, the time and the values. The expressions
 * of the definition are evaluated by Spark's own code for them, under the settings of a build, and
 * without a session or a job. For one thread, within {@link #under}.
 */
public final class EventReader {

  /**
   * An event of an entity.
   *
   * @param id the entity id in UTF-8
   * @param micros its time
   * @param values as aggregates take them, null where it has none
   */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares them.
  public record EntityEvent(byte[] id, long micros, Object[] values) {}

  private final Optional<BasePredicate> where;
  private final UnsafeProjection projection;
  private final int keys;
  private final List<EventValue> values;
  private long withoutKey;

  private EventReader(
      Optional<BasePredicate> where,
      UnsafeProjection projection,
      int keys,
      List<EventValue> values) {
    this.where = where;
    this.projection = projection;
    this.keys = keys;
    this.values = values;
  }

  /**
   * The reader of a window view over a stream source. Within {@link #under}.
   *
   * @param view its definition is valid
   */
  public static EventReader of(FeatureView view) {
    Windows windows = view.windows().orElseThrow();
    StructType schema = windows.source().columns().orElseThrow();
    WindowPlan plan = LiveDefinition.plan(windows);
    List<Column> columns = new ArrayList<>();
    for (Entity.KeyColumn key : view.entity().keys()) {
      columns.add(functions.expr(windows.key(key.name())).cast(key.type()).cast("string"));
    }
    String time = windows.source().timestamp().orElseThrow();
    columns.add(
        functions.unix_micros(
            functions.col("`" + time.replace("`", "``") + "`").cast(DataTypes.TimestampType)));
    plan.expressions().forEach(value -> columns.add(functions.expr(value)));

    List<Attribute> attributes =
        new ArrayList<>(JavaConverters.seqAsJavaList(DataTypeUtils.toAttributes(schema)));
    Seq<Attribute> input = JavaConverters.asScalaBuffer(attributes).toSeq();
    LogicalPlan events = new LocalRelation(input, List$.MODULE$.empty(), false);
    LogicalPlan counted =
        windows
            .where()
            .map(sql -> (LogicalPlan) new Filter(functions.expr(sql).expr(), events))
            .orElse(events);
    Project project = (Project) evaluable(new Project(named(columns), counted));
    List<Expression> expressions = new ArrayList<>();
    JavaConverters.seqAsJavaList(project.projectList())
        .forEach(named -> expressions.add((Expression) named));
    UnsafeProjection projection =
        UnsafeProjection.create(JavaConverters.asScalaBuffer(expressions).toSeq(), input);
    projection.initialize(0);
    Optional<BasePredicate> where =
        Optional.of(project.child())
            .filter(Filter.class::isInstance)
            .map(filter -> Predicate.create(((Filter) filter).condition(), input));
    where.ifPresent(condition -> condition.initialize(0));
    return new EventReader(
        where,
        projection,
        view.entity().keys().size(),
        plan.valueTypes().stream().map(EventValue::new).toList());
  }

  private static Seq<NamedExpression> named(List<Column> columns) {
    List<NamedExpression> named = new ArrayList<>();
    for (int i = 0; i < columns.size(); i++) {
      named.add((NamedExpression) columns.get(i).as("_tarn_" + i).expr());
    }
    return JavaConverters.asScalaBuffer(named).toSeq();
  }

  /** Resolves a plan, and does what Spark must do before it can evaluate its expressions. */
  private static LogicalPlan evaluable(LogicalPlan plan) {
    LogicalPlan analyzed = SimpleAnalyzer$.MODULE$.execute(plan);
    SimpleAnalyzer$.MODULE$.checkAnalysis(analyzed);
    return OptimizeIn.apply(
        ConstantFolding.apply(
            SpecialDatetimeValues.apply(ReplaceExpressions.apply(DatedTexts.required(analyzed)))));
  }

  /** Works with readers under settings of Spark. */
  public static <T> T under(SQLConf settings, Supplier<T> work) {
    return SQLConf.withExistingConf(settings, work::get);
  }

  /**
   * What the view takes of an event; empty if it does not count, or belongs to no entity.
   *
   * @param event a row of the source's columns
   */
  public Optional<EntityEvent> read(InternalRow event) {
    if (where.isPresent() && !where.get().eval(event)) {
      return Optional.empty();
    }
    UnsafeRow row = projection.apply(event);
    for (int i = 0; i < keys; i++) {
      if (row.isNullAt(i)) {
        withoutKey++;
        return Optional.empty();
      }
    }
    Object[] read = new Object[values.size()];
    for (int i = 0; i < read.length; i++) {
      int ordinal = keys + 1 + i;
      read[i] = row.isNullAt(ordinal) ? null : values.get(i).read(row, ordinal);
    }
    return Optional.of(new EntityEvent(id(row), row.getLong(keys), read));
  }

  /** The number of events so far that belong to no entity, since they lack a key. */
  public long withoutKey() {
    return withoutKey;
  }

  private byte[] id(UnsafeRow row) {
    if (keys == 1) {
      return row.getUTF8String(0).getBytes();
    }
    String[] parts = new String[keys];
    for (int i = 0; i < keys; i++) {
      parts[i] = row.getUTF8String(i).toString();
    }
    return EntityId.of(Arrays.asList(parts)).getBytes(StandardCharsets.UTF_8);
  }
}
