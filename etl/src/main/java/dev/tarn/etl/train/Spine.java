package dev.tarn.etl.train;

import com.google.common.hash.Hashing;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Suggestion;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.input.NestedTexts;
import dev.tarn.etl.input.Utf8Texts;
import dev.tarn.etl.window.EntityColumns;
import dev.tarn.manifest.TrainingSpine;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;

/**
 * A checked spine: the rows that features are joined to. Each has an entity and a moment.
 *
 * @param rows as they were given
 * @param hasStamps whether the time column has stamps, which say the moment
 * @param keys how many key columns the entity has
 * @param earliest least time of all rows, microseconds since 1970; 0 where there are none
 * @param latest greatest time of all rows
 */
record Spine(
    Dataset<Row> rows,
    Entity entity,
    String timeColumn,
    boolean hasStamps,
    int keys,
    long count,
    long earliest,
    long latest,
    String fingerprint) {

  /**
   * Checks a spine; reads it once.
   *
   * @param name of the spine, for messages
   * @throws UsageException if it can't be joined to; the message says what to do
   */
  static Spine of(
      String name, Dataset<Row> rows, Entity entity, String timeColumn, boolean hasStamps) {
    StructField time = checkSchema(name, rows, entity, timeColumn, hasStamps);
    List<Column> checks = new ArrayList<>();
    Column micros = micros(time.name(), hasStamps);
    checks.add(functions.count(functions.lit(1)));
    checks.add(functions.min(micros));
    checks.add(functions.max(micros));
    List<String> needed = new ArrayList<>(entity.keyNames());
    needed.add(time.name());
    for (String column : needed) {
      Column value = column.equals(time.name()) ? micros : Columns.named(column);
      checks.add(functions.count_if(value.isNull()));
    }
    int firstHash = checks.size();
    Column[] values =
        Stream.of(rows.schema().fields())
            .map(field -> Columns.comparable(Columns.named(field.name()), field.dataType()))
            .toArray(Column[]::new);
    for (int seed = 0; seed < 2; seed++) {
      Column[] seeded =
          Stream.concat(Stream.of(functions.lit(seed)), Stream.of(values)).toArray(Column[]::new);
      Column hash = functions.xxhash64(seeded);
      // In halves, so that no sum overflows.
      checks.add(functions.sum(hash.bitwiseAND(0xFFFF_FFFFL)));
      checks.add(functions.sum(functions.shiftrightunsigned(hash, 32)));
    }
    int firstText = checks.size();
    List<StructField> texts =
        Stream.of(rows.schema().fields())
            .filter(field -> NestedTexts.isIn(field.dataType()))
            .toList();
    for (StructField field : texts) {
      checks.add(
          functions.count_if(Utf8Texts.isBroken(Columns.named(field.name()), field.dataType())));
    }
    Row row =
        rows.agg(checks.get(0), checks.subList(1, checks.size()).toArray(new Column[0])).head();
    for (int i = 0; i < needed.size(); i++) {
      boolean isTime = i == needed.size() - 1;
      if (row.getLong(3 + i) > 0) {
        throw new UsageException(
            "%s: %,d of %s %s no %s, e.g. %s; leave them out, or fill them in"
                .formatted(
                    name,
                    row.getLong(3 + i),
                    Plural.of(row.getLong(0), "row"),
                    Plural.choose(row.getLong(3 + i), "has", "have"),
                    needed.get(i) + (hasStamps && isTime ? " that can be read as a stamp" : ""),
                    rows.filter((isTime ? micros : Columns.named(needed.get(i))).isNull()).head()));
      }
    }
    for (int i = 0; i < texts.size(); i++) {
      if (row.getLong(firstText + i) > 0) {
        StructField field = texts.get(i);
        Column isBroken = Utf8Texts.isBroken(Columns.named(field.name()), field.dataType());
        throw new UsageException(
            "%s: the texts of '%s' are no UTF-8 in %,d of %s, e.g. %s; write them anew in UTF-8"
                .formatted(
                    name,
                    field.name(),
                    row.getLong(firstText + i),
                    Plural.of(row.getLong(0), "row"),
                    rows.filter(isBroken).head()));
      }
    }
    StringBuilder fingerprint = new StringBuilder(rows.schema().catalogString());
    for (int i = firstHash; i < firstText; i++) {
      fingerprint.append(' ').append(row.get(i));
    }
    return new Spine(
        rows,
        entity,
        time.name(),
        hasStamps,
        entity.keys().size(),
        row.getLong(0),
        row.isNullAt(1) ? 0 : row.getLong(1),
        row.isNullAt(2) ? 0 : row.getLong(2),
        row.getLong(0)
            + "-"
            + Hashing.sha256()
                .hashString(fingerprint, StandardCharsets.UTF_8)
                .toString()
                .substring(0, 32));
  }

  private static StructField checkSchema(
      String name, Dataset<Row> rows, Entity entity, String timeColumn, boolean hasStamps) {
    List<String> columns = List.of(rows.columns());
    Set<String> seen = new HashSet<>();
    for (String column : columns) {
      // Spark looks for columns without telling 'a' from 'A'.
      if (!seen.add(column.toLowerCase(Locale.ROOT))) {
        throw new UsageException(
            "%s has two columns '%s': rename one of them".formatted(name, column));
      }
      if (column.toLowerCase(Locale.ROOT).startsWith(Columns.PREFIX)) {
        throw new UsageException(
            "%s: the column '%s' has a name that Tarn uses itself: rename it"
                .formatted(name, column));
      }
    }
    for (Entity.KeyColumn key : entity.keys()) {
      if (!columns.contains(key.name())) {
        throw new UsageException(
            "%s has no column '%s', a key of entity '%s'%s"
                .formatted(
                    name, key.name(), entity.name(), Suggestion.forName(key.name(), columns)));
      }
      DataType type = rows.schema().apply(key.name()).dataType();
      if (!key.takes(type)) {
        throw new UsageException(
            "%s: '%s' is %s, and entity '%s' has it as %s; write CAST(%s AS %s)"
                .formatted(
                    name,
                    key.name(),
                    type.simpleString(),
                    entity.name(),
                    key.type().simpleString(),
                    key.name(),
                    key.type().simpleString()));
      }
    }
    if (!columns.contains(timeColumn)) {
      throw new UsageException(
          "%s has no column '%s' for the %s of its rows%s; another name is given by %s=…"
              .formatted(
                  name,
                  timeColumn,
                  hasStamps ? "stamp" : "time",
                  Suggestion.forName(timeColumn, columns),
                  hasStamps ? "stamp" : "time"));
    }
    StructField time = rows.schema().apply(timeColumn);
    if (hasStamps) {
      if (!time.dataType().equals(DataTypes.BinaryType)
          && !time.dataType().equals(DataTypes.StringType)) {
        throw new UsageException(
            "%s: '%s' is %s, and stamps are binary, or string with base64url or hex digits"
                .formatted(name, time.name(), time.dataType().simpleString()));
      }
      return time;
    }
    if (!time.dataType().equals(DataTypes.TimestampType)) {
      throw new UsageException(
          "%s: '%s' is %s, and the time of a row must be a timestamp with a zone: %s"
              .formatted(name, timeColumn, time.dataType().simpleString(), remedy(time)));
    }
    return time;
  }

  private static String remedy(StructField time) {
    if (time.dataType().equals(DataTypes.TimestampNTZType)) {
      return "say which one its times are in, e.g. df[\"%1$s\"].dt.tz_localize(\"UTC\") in pandas, or to_utc_timestamp(CAST(%1$s AS TIMESTAMP), 'Europe/Berlin') in a session of UTC"
          .formatted(time.name());
    }
    return time.dataType().equals(DataTypes.StringType)
        ? "write CAST(%1$s AS TIMESTAMP), or pd.to_datetime(df[\"%1$s\"], utc=True) in pandas, where each text has its zone (2026-11-20T06:00:00Z)"
            .formatted(time.name())
        : "write CAST(%s AS TIMESTAMP), if that is the moment that is meant".formatted(time.name());
  }

  /** The names of the user's columns. */
  List<String> columns() {
    return List.of(rows.columns());
  }

  /** The entity's keys, of its types, under the names of {@link Columns#keyNames}. */
  List<Column> keyColumns() {
    List<Column> columns = new ArrayList<>();
    List<String> names = EntityColumns.keyNames(keys);
    for (int i = 0; i < keys; i++) {
      Entity.KeyColumn key = entity.keys().get(i);
      columns.add(Columns.named(key.name()).cast(key.type()).as(names.get(i)));
    }
    return columns;
  }

  Column micros() {
    return micros(timeColumn, hasStamps).as(Columns.MICROS);
  }

  private static Column micros(String timeColumn, boolean hasStamps) {
    Column time = Columns.named(timeColumn);
    return hasStamps ? StampColumn.micros(time) : functions.unix_micros(time);
  }

  /** Keys and time alone. */
  Dataset<Row> keysAndTimes() {
    List<Column> columns = keyColumns();
    columns.add(micros());
    return rows.select(columns.toArray(new Column[0]));
  }

  /** Keys, time, and the row as a struct. */
  List<Column> packed() {
    List<Column> columns = keyColumns();
    columns.add(micros());
    columns.add(
        functions
            .struct(columns().stream().map(Columns::named).toArray(Column[]::new))
            .as(Columns.SPINE));
    return columns;
  }

  /**
   * Columns that order packed rows: entity, time, then all their columns, so that the order is
   * always the same.
   */
  Column[] order() {
    Stream<Column> entityAndTime =
        Stream.concat(
            Stream.of(EntityColumns.keys(keys)), Stream.of(functions.col(Columns.MICROS)));
    Stream<Column> others =
        Stream.of(rows.schema().fields())
            .flatMap(
                field ->
                    Columns.order(
                        functions.col(Columns.SPINE).getField(field.name()), field.dataType()));
    return Stream.concat(entityAndTime, others).toArray(Column[]::new);
  }

  TrainingSpine stored(SpineSource source) {
    return TrainingSpine.newBuilder()
        .setLocation(source.location())
        .setSnapshotId(source.snapshotId())
        .setTextTypes(source.textTypes())
        .setTimeColumn(timeColumn)
        .setStamps(hasStamps)
        .setRows(count)
        .setFingerprint(fingerprint)
        .build();
  }
}
