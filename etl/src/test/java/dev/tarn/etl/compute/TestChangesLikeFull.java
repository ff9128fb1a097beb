package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.TwoHistories.CHANGED;
import static dev.tarn.etl.compute.TwoHistories.EVERY;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Random histories of many entities, stored both ways: whatever is built, again, late or under
 * another schema, both ways must read the same, bit for bit. The entities of a sequence share its
 * as-ofs, and otherwise each has a history of its own.
 */
@Tag("slow")
class TestChangesLikeFull {

  private static final int ENTITIES = 300;

  private static final StructType SCHEMA =
      StructType.fromDDL(
          "user_id BIGINT, region STRING, n BIGINT, x DOUBLE, f FLOAT, xs ARRAY<DOUBLE>,"
              + " s STRUCT<a: DOUBLE, b: STRING>");

  /** Two of one day, and two a microsecond apart. */
  private static final List<String> AS_OFS =
      List.of(
          "2026-01-02T00:00:00Z",
          "2026-01-03T00:00:00Z",
          "2026-01-03T12:00:00Z",
          "2026-01-03T12:00:00.000001Z",
          "2026-01-06T00:00:00Z");

  private static final Object[][] VALUES = {
    {null, 1L, 2L},
    {null, 0.0, -0.0, Double.NaN, 1.5, Double.NEGATIVE_INFINITY},
    {null, 0.0f, -0.0f, Float.NaN, 0.1f},
    {null, List.of(), List.of(0.0), List.of(-0.0), Arrays.asList(Double.NaN, null)},
    {null, RowFactory.create(0.0, "a"), RowFactory.create(-0.0, "a"), RowFactory.create(null, null)}
  };

  private final TwoHistories histories =
      new TwoHistories("{ name = user_id, type = bigint }, { name = region, type = string }");

  /** The rows of the last build, by entity. */
  private Map<String, String> lastGiven = Map.of();

  @Test
  void inAnyOrderAndBuiltAgain() {
    narrow();
    Random random = new Random(20260101);
    SortedMap<Instant, Map<String, String>> given = new TreeMap<>();
    List<Snapshot[]> snapshots = new ArrayList<>();
    // Late, between others, before all, and again.
    for (int asOf : new int[] {1, 4, 2, 0, 3, 2, 4}) {
      String built = AS_OFS.get(asOf);
      Build.AsOfOutcome outcome = build(random, built, snapshots);
      given.put(Instant.parse(built), lastGiven);
      assertThat(outcome.rows()).isEqualTo(lastGiven.size());
      assertReadsTheSame(random);
      assertStoresOnlyWhatChanged(given, outcome);
    }
    assertSnapshotsReadTheSame(snapshots);
  }

  @Test
  void whileTheSchemaFollowsTheDefinition() {
    narrow();
    Random random = new Random(20260102);
    List<Snapshot[]> snapshots = new ArrayList<>();
    build(random, AS_OFS.get(1), snapshots);
    build(random, AS_OFS.get(4), snapshots);
    histories.define(
        "user_id, region, x AS y, CAST(f AS DOUBLE) AS f, xs, s, n AS added",
        """
        { name = y, was = x, type = double }, { name = f, type = double }
        { name = xs, type = "array<double>" }, { name = s, type = "struct<a: double, b: string>" }
        { name = added, type = bigint }
        """,
        "");
    for (int asOf : new int[] {3, 1}) {
      build(random, AS_OFS.get(asOf), snapshots);
    }
    assertReadsTheSame(random);
    assertSnapshotsReadTheSame(snapshots);
  }

  private void narrow() {
    histories.define(
        "*",
        """
        { name = n, type = bigint }, { name = x, type = double }, { name = f, type = float }
        { name = xs, type = "array<double>" }, { name = s, type = "struct<a: double, b: string>" }
        """,
        "");
  }

  private Build.AsOfOutcome build(Random random, String asOf, List<Snapshot[]> snapshots) {
    List<Row> rows = new ArrayList<>();
    lastGiven = new HashMap<>();
    for (int entity = 0; entity < ENTITIES; entity++) {
      // Some are nearly always there and some hardly ever; some hardly ever change.
      if (random.nextInt(4) >= entity % 4 && random.nextInt(3) > 0) {
        continue;
      }
      Object[] row = new Object[2 + VALUES.length];
      row[0] = (long) entity / 2;
      row[1] = entity % 2 == 0 ? "north" : "south";
      for (int i = 0; i < VALUES.length; i++) {
        int value = random.nextInt(6) < entity % 6 ? entity : random.nextInt(100);
        row[2 + i] = VALUES[i][value % VALUES[i].length];
      }
      rows.add(RowFactory.create(row));
      lastGiven.put(row[0] + " " + row[1], text(row));
    }
    histories.write(histories.bench().spark().createDataFrame(rows, SCHEMA));
    Build.AsOfOutcome outcome = histories.build(asOf);
    snapshots.add(new Snapshot[] {histories.newest(EVERY), histories.newest(CHANGED)});
    return outcome;
  }

  private static String text(Object[] row) {
    List<String> values = new ArrayList<>();
    for (Object value : row) {
      // Java's lists are Scala's sequences once Spark has had them.
      values.add(
          value instanceof List<?> list
              ? list.stream().map(TwoHistories::text).toList().toString()
              : TwoHistories.text(value));
    }
    return String.join(" ", values);
  }

  /** At moments before, at and between as-ofs. */
  private void assertReadsTheSame(Random random) {
    Map<String, Dataset<Row>> rows = new TreeMap<>();
    for (int i = 0; i < 2; i++) {
      Instant asOf = Instant.parse(AS_OFS.get(random.nextInt(AS_OFS.size())));
      Instant moment = random.nextBoolean() ? asOf : asOf.minusNanos(1_000);
      rows.put(EVERY + " " + moment, histories.rows(EVERY, moment));
      rows.put(CHANGED + " " + moment, histories.rows(CHANGED, moment));
    }
    assertSame(rows);
  }

  /** Snapshots of one schema in one job: rows of another can't be put together with them. */
  private void assertSnapshotsReadTheSame(List<Snapshot[]> snapshots) {
    Map<Integer, List<Snapshot[]>> bySchema = new TreeMap<>();
    for (Snapshot[] pair : snapshots) {
      bySchema.computeIfAbsent(pair[0].schemaId(), id -> new ArrayList<>()).add(pair);
    }
    for (List<Snapshot[]> pairs : bySchema.values()) {
      Map<String, Dataset<Row>> rows = new TreeMap<>();
      for (int i = 0; i < pairs.size(); i++) {
        rows.put(EVERY + " " + i, histories.rows(EVERY, pairs.get(i)[0]));
        rows.put(CHANGED + " " + i, histories.rows(CHANGED, pairs.get(i)[1]));
      }
      String all = assertSame(rows).toString();
      // Else this would show little.
      assertThat(all).contains(" 0.0:0 ", " -0.0:8000", "[-0.0:8", "{0.0:0,", "NaN", "null");
    }
  }

  /** Asserts that both views have the same rows under each name. */
  private static Map<String, List<String>> assertSame(Map<String, Dataset<Row>> rows) {
    Map<String, List<String>> text = TwoHistories.text(rows);
    for (String name : text.keySet()) {
      assertThat(text.get(name.replace(EVERY, CHANGED))).as(name).isEqualTo(text.get(name));
    }
    return text;
  }

  /** Asserts this for all as-ofs, since one that is built late changes what the next one stores. */
  private void assertStoresOnlyWhatChanged(
      SortedMap<Instant, Map<String, String>> given, Build.AsOfOutcome outcome) {
    Map<Instant, Long> expected = new TreeMap<>();
    Map<String, String> before = Map.of();
    for (Instant asOf : given.keySet()) {
      Map<String, String> now = given.get(asOf);
      Set<String> entities = new TreeSet<>(before.keySet());
      entities.addAll(now.keySet());
      Map<String, String> old = before;
      expected.put(
          asOf, entities.stream().filter(id -> !Objects.equals(old.get(id), now.get(id))).count());
      before = now;
    }
    Map<Instant, Long> stored = new TreeMap<>();
    histories
        .bench()
        .spark()
        .table(histories.bench().lake().sqlName(CHANGED))
        .groupBy("event_timestamp")
        .count()
        .collectAsList()
        .forEach(row -> stored.put(row.getInstant(0), row.getLong(1)));
    assertThat(stored).isEqualTo(expected);
    assertThat(outcome.changed()).contains(expected.get(outcome.asOf()));
  }
}
