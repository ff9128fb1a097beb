package dev.tarn.etl.archive;

import dev.tarn.cli.Plural;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.definition.StreamSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.expressions.Window;
import org.apache.spark.sql.functions;

/**
 * Finds what is wrong with the places (partition, offset) of the rows of an event table and of the
 * table beside it: rows that are there twice, rows that the cut does not cover, and offsets that
 * neither table has.
 */
final class Places {

  private static final int SHOWN = 5;

  private static final Column PARTITION = functions.col(StreamSource.PARTITION);
  private static final Column OFFSET = functions.col(StreamSource.OFFSET);

  private static final String NEXT = "_next";

  /**
   * The findings, in words.
   *
   * @param wrong what no archive writes; empty: nothing
   * @param gaps offsets that neither table has
   */
  record Findings(List<String> wrong, List<String> gaps) {}

  private Places() {}

  /** The cut that the rows themselves show: everything up to the greatest offset of each. */
  static Cut cutOf(Dataset<Row> all, String topic) {
    Map<Integer, Long> offsets = new TreeMap<>();
    all.filter(PARTITION.isNotNull().and(OFFSET.isNotNull()))
        .groupBy(PARTITION)
        .agg(functions.max(OFFSET))
        .collectAsList()
        .forEach(row -> offsets.put(row.getInt(0), row.getLong(1) + 1));
    return new Cut(topic, "", new TreeMap<>(offsets));
  }

  /** The places of both tables. */
  static Dataset<Row> of(Dataset<Row> events, Optional<Dataset<Row>> undecoded) {
    Dataset<Row> places = events.select(PARTITION, OFFSET);
    return undecoded.map(table -> places.unionAll(table.select(PARTITION, OFFSET))).orElse(places);
  }

  /** The rows before a cut. */
  static Dataset<Row> before(Dataset<Row> rows, Cut cut) {
    return rows.filter(isBefore(cut));
  }

  private static Column isBefore(Cut cut) {
    Column isBefore = functions.lit(false);
    for (Map.Entry<Integer, Long> next : cut.offsets().entrySet()) {
      isBefore = isBefore.or(PARTITION.equalTo(next.getKey()).and(OFFSET.lt(next.getValue())));
    }
    return isBefore;
  }

  /** Checks the places of both tables against the cut. */
  static Findings check(Dataset<Row> all, Cut cut) {
    List<String> wrong = new ArrayList<>();
    long without = all.filter(PARTITION.isNull().or(OFFSET.isNull())).count();
    if (without > 0) {
      wrong.add("%s without partition or offset".formatted(Plural.of(without, "row")));
    }
    Dataset<Row> counted =
        all.filter(PARTITION.isNotNull().and(OFFSET.isNotNull()))
            .groupBy(PARTITION, OFFSET)
            .agg(functions.count(functions.lit(1)).as("rows"));
    add(
        wrong,
        counted.filter(functions.col("rows").gt(1)),
        "offset is there more than once",
        "offsets are there more than once",
        row ->
            "partition %d, offset %d (%d rows)"
                .formatted(row.getInt(0), row.getLong(1), row.getLong(2)));
    Column isBeyond = functions.not(isBefore(cut));
    add(
        wrong,
        counted.filter(isBeyond),
        "offset is there and not before the cut",
        "offsets are there and not before the cut",
        row -> "partition %d, offset %d".formatted(row.getInt(0), row.getLong(1)));
    return new Findings(wrong, gaps(counted.filter(functions.not(isBeyond)), cut));
  }

  private static List<String> gaps(Dataset<Row> counted, Cut cut) {
    // After the last offset comes the cut.
    Column end = functions.lit(null).cast("bigint");
    for (Map.Entry<Integer, Long> next : cut.offsets().entrySet()) {
      end = functions.when(PARTITION.equalTo(next.getKey()), next.getValue()).otherwise(end);
    }
    Column next = functions.lead(OFFSET, 1).over(Window.partitionBy(PARTITION).orderBy(OFFSET));
    List<String> gaps = new ArrayList<>();
    add(
        gaps,
        counted
            .select(PARTITION, OFFSET, functions.coalesce(next, end).as(NEXT))
            .filter(functions.col(NEXT).gt(OFFSET.plus(1))),
        "gap",
        "gaps",
        row ->
            "partition %d, offsets %d to %d"
                .formatted(row.getInt(0), row.getLong(1) + 1, row.getLong(2) - 1));
    return gaps;
  }

  private interface Shown {
    String of(Row row);
  }

  private static void add(
      List<String> lines, Dataset<Row> found, String one, String many, Shown shown) {
    long count = found.count();
    if (count == 0) {
      return;
    }
    List<String> examples =
        found.orderBy(PARTITION, OFFSET).limit(SHOWN).collectAsList().stream()
            .map(shown::of)
            .toList();
    lines.add(
        "%,d %s: %s%s"
            .formatted(
                count,
                Plural.choose(count, one, many),
                String.join("; ", examples),
                count > SHOWN ? "; …" : ""));
  }
}
