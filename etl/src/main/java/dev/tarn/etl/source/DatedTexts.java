package dev.tarn.etl.source;

import dev.tarn.etl.definition.ClockTexts;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.NestedTexts;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Cast;
import org.apache.spark.sql.catalyst.expressions.CsvToStructs;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Hour;
import org.apache.spark.sql.catalyst.expressions.JsonToStructs;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.Minute;
import org.apache.spark.sql.catalyst.expressions.RuntimeReplaceable;
import org.apache.spark.sql.catalyst.expressions.Second;
import org.apache.spark.sql.catalyst.expressions.SecondWithFraction;
import org.apache.spark.sql.catalyst.expressions.SubqueryExpression;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.types.AbstractDataType;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DatetimeType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.ObjectType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.JavaConverters;
import scala.collection.immutable.Map;

/**
 * Keeps the clock out of what SQL makes of texts. Where SQL reads a text as a timestamp, by a cast,
 * a comparison, a function or {@code from_json}, Spark gives a time of day such as 10:15 the day on
 * which the job runs. With these rows that stops the job; any other text is read as Spark reads it.
 */
public final class DatedTexts {

  private static final String METHOD = "dated";

  private DatedTexts() {}

  /** The same rows, which refuse a time of day where they read a timestamp. */
  public static Dataset<Row> required(Dataset<Row> rows) {
    LogicalPlan plan = rows.queryExecution().analyzed();
    LogicalPlan guarded = required(plan);
    return guarded.fastEquals(plan) ? rows : Dataset.ofRows(rows.sparkSession(), guarded);
  }

  /** The same analyzed plan, whose expressions refuse a time of day. */
  public static LogicalPlan required(LogicalPlan plan) {
    LogicalPlan inner = plan.mapChildren(child -> required(child));
    return inner.mapExpressions(DatedTexts::expression);
  }

  private static Expression expression(Expression given) {
    if (isGuarded(given)) {
      return given;
    }
    if (given instanceof RuntimeReplaceable function) {
      // What Spark will compute in its place; it stands nowhere else in the tree.
      return expression(function.replacement());
    }
    // Of a time alone these are the same on each day.
    boolean isOfDay =
        given instanceof Hour
            || given instanceof Minute
            || given instanceof Second
            || given instanceof SecondWithFraction;
    Expression inner =
        given.mapChildren(
            child ->
                isOfDay && child instanceof Cast
                    ? child.mapChildren(DatedTexts::expression)
                    : expression(child));
    if (inner instanceof SubqueryExpression subquery) {
      LogicalPlan inside = required(subquery.plan());
      return inside.fastEquals(subquery.plan()) ? inner : subquery.withNewPlan(inside);
    }
    if (inner instanceof Cast cast && !isGuarded(cast.child())) {
      return cast(cast);
    }
    if (inner instanceof JsonToStructs json && isByClock(json.schema(), json.options())) {
      return parsed(
          json,
          new JsonToStructs(
              asTexts(json.schema()), json.options(), json.child(), json.timeZoneId()));
    }
    if (inner instanceof CsvToStructs csv && isByClock(csv.schema(), csv.options())) {
      return parsed(
          csv,
          new CsvToStructs(
              (StructType) asTexts(csv.schema()),
              csv.options(),
              csv.child(),
              csv.timeZoneId(),
              csv.requiredSchema()));
    }
    return inner;
  }

  private static Expression cast(Cast cast) {
    Expression child = cast.child();
    if (child.foldable()
        && child.dataType().equals(DataTypes.StringType)
        && cast.dataType() instanceof DatetimeType) {
      boolean isTimestamp = cast.dataType().equals(DataTypes.TimestampType);
      return with(
          cast, call(isTimestamp ? "datedConstant" : "wordless", child.dataType(), List.of(child)));
    }
    DataType texts = texts(child.dataType(), cast.dataType());
    if (!NestedTexts.isIn(texts)) {
      return cast;
    }
    return with(
        cast,
        call(
            METHOD,
            child.dataType(),
            texts.equals(DataTypes.StringType) ? List.of(child) : List.of(child, literal(texts))));
  }

  private static Expression with(Cast cast, Expression child) {
    return cast.withNewChildren(
        JavaConverters.asScalaBuffer(new ArrayList<>(List.of(child))).toSeq());
  }

  private static boolean isGuarded(Expression expression) {
    return expression instanceof StaticInvoke call && call.staticObject().equals(DatedTexts.class);
  }

  /** The type of a value, with STRING where a text becomes a timestamp, and nothing elsewhere. */
  private static DataType texts(DataType from, DataType to) {
    if (from instanceof ArrayType array && to instanceof ArrayType into) {
      return DataTypes.createArrayType(texts(array.elementType(), into.elementType()));
    }
    if (from instanceof MapType map && to instanceof MapType into) {
      return DataTypes.createMapType(
          texts(map.keyType(), into.keyType()), texts(map.valueType(), into.valueType()));
    }
    if (from instanceof StructType struct
        && to instanceof StructType into
        && struct.length() == into.length()) {
      StructType texts = new StructType();
      for (int i = 0; i < struct.length(); i++) {
        StructField field = struct.fields()[i];
        texts = texts.add(field.name(), texts(field.dataType(), into.fields()[i].dataType()));
      }
      return texts;
    }
    return from.equals(DataTypes.StringType) && to.equals(DataTypes.TimestampType)
        ? DataTypes.StringType
        : DataTypes.NullType;
  }

  /** The type with its timestamps as they are written. */
  private static DataType asTexts(DataType type) {
    if (type instanceof ArrayType array) {
      return DataTypes.createArrayType(asTexts(array.elementType()));
    }
    if (type instanceof MapType map) {
      return DataTypes.createMapType(map.keyType(), asTexts(map.valueType()));
    }
    if (type instanceof StructType struct) {
      StructType texts = new StructType();
      for (StructField field : struct.fields()) {
        texts = texts.add(field.name(), asTexts(field.dataType()));
      }
      return texts;
    }
    return type.equals(DataTypes.TimestampType) ? DataTypes.StringType : type;
  }

  /** Whether {@code from_json} or {@code from_csv} reads timestamps as a cast does. */
  private static boolean isByClock(DataType schema, Map<String, String> options) {
    List<String> names =
        JavaConverters.mapAsJavaMap(options).keySet().stream()
            .map(name -> name.toLowerCase(Locale.ROOT))
            .toList();
    return !asTexts(schema).equals(schema)
        && (!names.contains("timestampformat") || names.contains("enabledatetimeparsingfallback"));
  }

  /**
   * What {@code from_json} or {@code from_csv} gives.
   *
   * @param texts the same with timestamps as texts
   */
  private static Expression parsed(Expression value, Expression texts) {
    DataType type = texts(texts.dataType(), value.dataType());
    return call("datedBy", value.dataType(), List.of(value, texts, literal(type)));
  }

  private static Expression literal(DataType type) {
    return new Literal(type, new ObjectType(DataType.class));
  }

  private static Expression call(String method, DataType type, List<Expression> arguments) {
    return new StaticInvoke(
        DatedTexts.class,
        type,
        method,
        JavaConverters.asScalaBuffer(arguments).toSeq(),
        JavaConverters.<AbstractDataType>asScalaBuffer(List.of()).toSeq(),
        true,
        true,
        true);
  }

  // Called by the code that Spark generates.

  /** A text that is to be a timestamp. */
  public static UTF8String dated(UTF8String text) {
    if (ClockTexts.isTimeOfDay(text)) {
      throw new InputException(
          "the text '%s' is a time without a day, and as a timestamp it would be of the day on which the job runs: put the day before it, e.g. to_timestamp(concat(day, ' ', time)), or read it by a pattern: to_timestamp(time, 'HH:mm:ss')"
              .formatted(text));
    }
    return text;
  }

  /** A text that is to be a timestamp, and the same in all rows. */
  public static UTF8String datedConstant(UTF8String text) {
    return dated(wordless(text));
  }

  /** A text that is to be a date or a time, and the same in all rows. */
  public static UTF8String wordless(UTF8String text) {
    if (ClockTexts.isOfClock(text, DataTypes.DateType)) {
      throw new InputException(
          "the text '%s' is the clock of the machine, so another run would give other values"
              .formatted(text));
    }
    return text;
  }

  /** An array with texts that are to be timestamps. */
  public static ArrayData dated(ArrayData values, DataType texts) {
    NestedTexts.visit(values, (ArrayType) texts, DatedTexts::dated);
    return values;
  }

  /** A map with texts that are to be timestamps. */
  public static MapData dated(MapData values, DataType texts) {
    NestedTexts.visit(values, (MapType) texts, DatedTexts::dated);
    return values;
  }

  /** A struct with texts that are to be timestamps. */
  public static InternalRow dated(InternalRow values, DataType texts) {
    NestedTexts.visit(values, (StructType) texts, DatedTexts::dated);
    return values;
  }

  /** An array whose timestamps were read from the texts of another one. */
  public static ArrayData datedBy(ArrayData values, ArrayData read, DataType texts) {
    dated(read, texts);
    return values;
  }

  /** A map whose timestamps were read from the texts of another one. */
  public static MapData datedBy(MapData values, MapData read, DataType texts) {
    dated(read, texts);
    return values;
  }

  /** A struct whose timestamps were read from the texts of another one. */
  public static InternalRow datedBy(InternalRow values, InternalRow read, DataType texts) {
    dated(read, texts);
    return values;
  }
}
