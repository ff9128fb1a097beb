package dev.tarn.etl.compute;

import dev.tarn.cli.Plural;
import dev.tarn.etl.definition.Check;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.input.NestedTexts;
import dev.tarn.etl.input.Utf8Texts;
import dev.tarn.etl.lake.EntityIds;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructType;

/** Runs a view's checks on the rows of as-ofs before they are published. */
final class Audit {

  /** Number of rows to name for each check that fails. */
  private static final int EXAMPLES = 5;

  private static final LocalDateTime FIRST = LocalDateTime.parse("0001-01-01T00:00:00");
  private static final LocalDateTime LAST = LocalDateTime.parse("9999-12-31T23:59:59.999999");

  /**
   * The findings of an audit.
   *
   * @param rows rows of the as-of
   * @param failures a line for each check that failed, with where it is defined and which rows
   */
  record AuditResult(long rows, List<String> failures) {}

  /**
   * What is counted of the rows of an as-of.
   *
   * @param broken for each rule the rows that break it
   */
  record Counts(long rows, long entities, List<Long> broken) {}

  /** A condition that no row may meet, and the column to show of the rows that do. */
  private record RowRule(String name, Position position, Column isBroken, Optional<String> shown) {}

  private final FeatureView view;
  private final Dataset<Row> rows;
  private final int maxIdBytes;
  private final List<RowRule> rules;

  /**
   * An audit of rows.
   *
   * @param rows those of one as-of; of several only for {@link #countEach}
   * @param maxIdBytes the longest entity id that servers answer
   */
  Audit(FeatureView view, Dataset<Row> rows, int maxIdBytes) {
    this.view = view;
    this.rows = rows;
    this.maxIdBytes = maxIdBytes;
    this.rules = rowRules();
  }

  /**
   * Runs the checks of one as-of in one pass over its rows, and one more for each that fails.
   *
   * @param rowsBefore the number of rows of the newest published as-of before it; asked for only
   *     where a check needs it
   */
  AuditResult run(Supplier<Optional<Long>> rowsBefore) {
    List<Column> counts = counts();
    Row counted =
        rows.agg(counts.get(0), counts.subList(1, counts.size()).toArray(new Column[0])).head();
    return judge(counted(counted, 0), rowsBefore);
  }

  /** Counts the rows of each as-of in one pass. An as-of without rows is not there. */
  Map<Instant, Counts> countEach() {
    List<Column> counts = counts();
    Map<Instant, Counts> counted = new HashMap<>();
    rows.groupBy(column(FeatureView.EVENT_TIMESTAMP))
        .agg(counts.get(0), counts.subList(1, counts.size()).toArray(new Column[0]))
        .collectAsList()
        .forEach(row -> counted.put(row.getInstant(0), counted(row, 1)));
    return counted;
  }

  /** The counts of an as-of without rows. */
  Counts none() {
    return new Counts(0, 0, Collections.nCopies(rules.size(), 0L));
  }

  private List<Column> counts() {
    List<Column> counts = new ArrayList<>();
    counts.add(functions.count(functions.lit(1)));
    counts.add(functions.count_distinct(functions.struct(keys())));
    for (RowRule rule : rules) {
      counts.add(functions.count_if(rule.isBroken()));
    }
    return counts;
  }

  private Counts counted(Row row, int first) {
    List<Long> broken = new ArrayList<>();
    for (int i = 0; i < rules.size(); i++) {
      broken.add(row.getLong(first + 2 + i));
    }
    return new Counts(row.getLong(first), row.getLong(first + 1), broken);
  }

  /** Judges what was counted, with one more pass over the rows for each check that fails. */
  AuditResult judge(Counts counted, Supplier<Optional<Long>> rowsBefore) {
    List<String> failures = new ArrayList<>();
    for (int i = 0; i < rules.size(); i++) {
      if (counted.broken().get(i) > 0) {
        failures.add(describe(rules.get(i), counted.broken().get(i), counted.rows()));
      }
    }
    if (counted.entities() < counted.rows()) {
      failures.add(describeDuplicates(counted.rows() - counted.entities(), keys()));
    }
    for (Check check : view.checks()) {
      checkOfWhole(check, counted.rows(), rowsBefore).ifPresent(failures::add);
    }
    return new AuditResult(counted.rows(), failures);
  }

  private List<RowRule> rowRules() {
    List<RowRule> rules = new ArrayList<>();
    for (String key : view.entity().keyNames()) {
      rules.add(
          new RowRule(
              "entity key '%s' is not null".formatted(key),
              view.entity().position(),
              column(key).isNull(),
              Optional.empty()));
    }
    for (Entity.KeyColumn key : view.entity().keys()) {
      withinYears(key.name(), key.type(), view.entity().position()).ifPresent(rules::add);
    }
    for (Feature feature : view.features()) {
      withinYears(feature.name(), feature.type(), feature.position()).ifPresent(rules::add);
      if (NestedTexts.isIn(feature.type())) {
        rules.add(
            new RowRule(
                "'%s' is UTF-8".formatted(feature.name()),
                feature.position(),
                Utf8Texts.isBroken(column(feature.name()), feature.type()),
                Optional.of(feature.name())));
      }
    }
    rules.addAll(idRules());
    for (Check check : view.checks()) {
      if (check instanceof Check.OfRow ofRow) {
        rules.add(rule(ofRow));
      }
    }
    return rules;
  }

  /**
   * A rule for a column with dates or timestamps: Iceberg's readers in other languages, and
   * clients, know the years 0001 to 9999 alone.
   */
  private static Optional<RowRule> withinYears(String name, DataType type, Position position) {
    return beyondYears(column(name), type)
        .map(
            isBeyond ->
                new RowRule(
                    "'%s' is within the years 0001 to 9999".formatted(name),
                    position,
                    functions.coalesce(isBeyond, functions.lit(false)),
                    Optional.of(name)));
  }

  /** Whether a value has a date or timestamp beyond the years; empty: its type has neither. */
  private static Optional<Column> beyondYears(Column value, DataType type) {
    if (type instanceof ArrayType array) {
      return beyondYears(value, array.elementType()).isEmpty()
          ? Optional.empty()
          : Optional.of(
              functions.exists(
                  value, element -> beyondYears(element, array.elementType()).orElseThrow()));
    }
    if (type instanceof StructType struct) {
      return Stream.of(struct.fields())
          .flatMap(field -> beyondYears(value.getField(field.name()), field.dataType()).stream())
          .map(isBeyond -> functions.coalesce(isBeyond, functions.lit(false)))
          .reduce(Column::or);
    }
    if (type.equals(DataTypes.TimestampType)) {
      return Optional.of(
          isOutside(value, FIRST.toInstant(ZoneOffset.UTC), LAST.toInstant(ZoneOffset.UTC)));
    }
    if (type.equals(DataTypes.TimestampNTZType)) {
      return Optional.of(isOutside(value, FIRST, LAST));
    }
    return type.equals(DataTypes.DateType)
        ? Optional.of(isOutside(value, FIRST.toLocalDate(), LAST.toLocalDate()))
        : Optional.empty();
  }

  private static Column isOutside(Column value, Object least, Object greatest) {
    return value.lt(functions.lit(least)).or(value.gt(functions.lit(greatest)));
  }

  /** A bound as it was written: a bigint or a decimal has more digits than a double. */
  private static Column bound(BigDecimal bound, DataType type) {
    if (type.equals(DataTypes.FloatType)) {
      return functions.lit(bound.floatValue());
    }
    BigDecimal plain = bound.scale() < 0 ? bound.setScale(0) : bound;
    boolean isDecimal =
        plain.precision() <= DecimalType.MAX_PRECISION()
            && plain.scale() <= DecimalType.MAX_SCALE();
    return type.equals(DataTypes.DoubleType) || !isDecimal
        ? functions.lit(bound.doubleValue())
        : functions.lit(plain);
  }

  /** What keeps an entity from being asked for, so that nobody would ever get its row. */
  private List<RowRule> idRules() {
    boolean hasText =
        view.entity().keys().stream().anyMatch(key -> key.type().equals(DataTypes.StringType));
    if (!hasText) {
      return List.of();
    }
    Column id = EntityIds.of(view.entity());
    Column bytes = id.cast(DataTypes.BinaryType);
    Column read = functions.encode(functions.decode(bytes, "UTF-8"), "UTF-8");
    Position position = view.entity().position();
    return List.of(
        new RowRule(
            "entity id is not the empty text, which nobody can ask for",
            position,
            id.equalTo(""),
            Optional.empty()),
        new RowRule(
            "entity id has at most %s (serving.max-id-bytes)"
                .formatted(Plural.of(maxIdBytes, "byte")),
            position,
            functions.octet_length(id).gt(maxIdBytes),
            Optional.empty()),
        new RowRule("entity id is UTF-8", position, read.notEqual(bytes), Optional.empty()));
  }

  private RowRule rule(Check.OfRow check) {
    Column value = column(check.feature());
    Column isBroken;
    String name;
    if (check instanceof Check.Range range) {
      Column outside = functions.lit(false);
      DataType type = rows.schema().apply(check.feature()).dataType();
      if (range.min().isPresent()) {
        outside = outside.or(value.lt(bound(range.min().get(), type)));
      }
      if (range.max().isPresent()) {
        outside = outside.or(value.gt(bound(range.max().get(), type)));
      }
      // NaN is larger than any number in Spark's order, so a range with no max must say it.
      isBroken = value.isNotNull().and(outside.or(value.cast("double").isNaN()));
      name =
          "range of '%s' (%s to %s)"
              .formatted(
                  check.feature(),
                  range.min().map(BigDecimal::toPlainString).orElse("-"),
                  range.max().map(BigDecimal::toPlainString).orElse("-"));
    } else if (check instanceof Check.AcceptedValues accepted) {
      Object[] values =
          accepted.type() instanceof NumericType
              ? accepted.values().stream()
                  .map(text -> functions.lit(text).cast(accepted.type()))
                  .toArray()
              : accepted.values().toArray();
      Column compared =
          accepted.type() instanceof NumericType ? value : value.cast(DataTypes.StringType);
      isBroken = value.isNotNull().and(functions.not(compared.isin(values)));
      name = "accepted-values of '%s'".formatted(check.feature());
    } else {
      isBroken = value.isNull();
      name = "not-null of '%s'".formatted(check.feature());
    }
    return new RowRule(name, check.position(), isBroken, Optional.of(check.feature()));
  }

  private Optional<String> checkOfWhole(
      Check check, long total, Supplier<Optional<Long>> rowsBefore) {
    if (check instanceof Check.MinRows min && total < min.rows()) {
      return Optional.of(
          "min-rows (%s): %s, and at least %d %s expected"
              .formatted(
                  min.position(),
                  Plural.of(total, "row"),
                  min.rows(),
                  Plural.choose(min.rows(), "is", "are")));
    }
    if (check instanceof Check.MaxRowCountChange max) {
      Optional<Long> before = rowsBefore.get();
      if (before.isPresent() && Math.abs(total - before.get()) > max.share() * before.get()) {
        return Optional.of(
            "max-row-count-change (%s): %s after %d in the as-of before, and at most %s change is expected"
                .formatted(
                    max.position(),
                    Plural.of(total, "row"),
                    before.get(),
                    String.format(Locale.ROOT, "%.1f %%", 100 * max.share())));
      }
    }
    return Optional.empty();
  }

  private String describe(RowRule rule, long broken, long total) {
    List<Column> shown = new ArrayList<>(List.of(keys()));
    rule.shown().ifPresent(feature -> shown.add(column(feature)));
    String examples = examples(rows.filter(rule.isBroken()).select(shown.toArray(new Column[0])));
    return "%s (%s): %d of %s %s: %s"
        .formatted(
            rule.name(),
            rule.position(),
            broken,
            Plural.of(total, "row"),
            Plural.choose(broken, "fails", "fail"),
            examples);
  }

  private String describeDuplicates(long surplus, Column[] keys) {
    Dataset<Row> repeated =
        rows.groupBy(keys)
            .agg(functions.count(functions.lit(1)).as("rows"))
            .filter(functions.col("rows").gt(1));
    return "unique entity (%s): %s too many: %s"
        .formatted(view.entity().position(), Plural.of(surplus, "row"), examples(repeated));
  }

  /** The first few rows in the order of their columns, so that a second run names the same. */
  private static String examples(Dataset<Row> rows) {
    Column[] order = List.of(rows.columns()).stream().map(Audit::column).toArray(Column[]::new);
    List<Row> first = rows.orderBy(order).limit(EXAMPLES + 1).collectAsList();
    String text =
        first.stream()
            .limit(EXAMPLES)
            .map(
                row ->
                    List.of(rows.columns()).stream()
                        .map(name -> name + "=" + row.get(row.fieldIndex(name)))
                        .collect(Collectors.joining(" ")))
            .collect(Collectors.joining("; "));
    return first.size() > EXAMPLES ? text + "; …" : text;
  }

  private Column[] keys() {
    return view.entity().keyNames().stream().map(Audit::column).toArray(Column[]::new);
  }

  private static Column column(String name) {
    return functions.col("`" + name + "`");
  }
}
