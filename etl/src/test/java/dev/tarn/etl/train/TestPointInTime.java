package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.build.FeatureTable;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/**
 * Joins against what a plain loop over every pair says, for thousands of entities, each of them a
 * case: a random history in three views, and random rows of a spine.
 */
class TestPointInTime {

  private static final int CASES = 3_000;
  private static final Instant FIRST = Instant.parse("2026-01-05T00:00:00Z");
  private static final Duration MAX_AGE = Duration.ofHours(50);

  private static final StructType KEYS = StructType.fromDDL("shop STRING, number BIGINT");
  private static final StructType ROW =
      KEYS.add("at", "timestamp").add("points", "bigint").add("text", "string").add("x", "double");
  private static final StructType SPINE =
      KEYS.add("label", "double")
          .add("event_timestamp", "timestamp")
          .add("note", "map<string,int>");

  /** One row of a history. */
  private record Given(Instant at, Long points, String text, Double x) {}

  /** The rows of a view by entity. */
  private final Map<String, Map<Integer, List<Given>>> histories = new TreeMap<>();

  private final Random random = new Random(5);
  private final Workbench bench = new Workbench();

  @Test
  void eachRowGetsWhatALoopOverAllPairsFinds() throws Exception {
    // A day apart, hours apart, and stored as changes.
    List<Instant> daily = asOfs(9, Duration.ofDays(1));
    List<Instant> hourly = asOfs(20, Duration.ofHours(5));
    List<Instant> changed = asOfs(5, Duration.ofHours(36));
    define();
    write("daily", daily, 0.7);
    write("hourly", hourly, 0.3);
    write("changed", changed, 0.6);
    bench.build("daily", daily.get(0).toString());
    append("daily", daily.get(0));
    bench.build("hourly", hourly.get(0).toString());
    append("hourly", hourly.get(0));
    bench.build("changed", changed.stream().map(Instant::toString).toArray(String[]::new));

    List<Instant> moments = new ArrayList<>(daily);
    moments.addAll(hourly);
    moments.addAll(changed);
    List<Row> spine = new ArrayList<>();
    for (int i = 0; i < CASES + 20; i++) {
      for (int n = random.nextInt(3); n > 0; n--) {
        spine.add(spineRow(i, moment(moments)));
      }
    }
    // The same row several times over, and the same entity and time with other labels.
    spine.addAll(spine.subList(0, 100));
    spine.addAll(spine.subList(0, 50));
    Collections.shuffle(spine, random);

    Dataset<Row> joined =
        Training.join(
                bench.spark(),
                bench.spark().createDataFrame(spine, SPINE).repartition(3),
                "all",
                TrainingScores.settings(bench))
            .rows();

    assertThat(joined.schema().fieldNames())
        .startsWith("shop", "number", "label", "event_timestamp", "note")
        .endsWith(
            "daily_points",
            "daily_text",
            "daily_x",
            "changed_x",
            "hourly_points",
            "changed_points");
    List<String> found = joined.collectAsList().stream().map(Row::toString).sorted().toList();
    List<String> expected = spine.stream().map(this::expected).sorted().toList();
    assertThat(found).isEqualTo(expected);
    assertThat(expected).anyMatch(row -> row.contains("-0.0")).anyMatch(row -> row.contains("NaN"));
  }

  private String expected(Row row) {
    int entity = (int) row.getLong(1);
    Instant at = row.getInstant(3);
    Optional<Given> daily = newest("daily", entity, at);
    Optional<Given> hourly = newest("hourly", entity, at);
    Optional<Given> changed = newest("changed", entity, at);
    boolean isKnown = daily.isPresent() || hourly.isPresent() || changed.isPresent();
    Optional<Given> recent = daily.filter(given -> !given.at().isBefore(at.minus(MAX_AGE)));
    Optional<Given> recentChange = changed.filter(given -> !given.at().isBefore(at.minus(MAX_AGE)));
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < row.size(); i++) {
      values.add(row.get(i));
    }
    Long points = recent.map(Given::points).orElse(null);
    values.add(points == null && isKnown ? Long.valueOf(-7) : points);
    values.add(recent.map(Given::text).orElse(null));
    values.add(recent.map(Given::x).orElse(null));
    values.add(recentChange.map(Given::x).orElse(null));
    values.add(hourly.map(Given::points).orElse(null));
    values.add(recentChange.map(Given::points).orElse(null));
    // As Spark has a map.
    values.set(4, row.get(4) == null ? null : "Map(a -> 1)");
    return values.toString().replace(", ", ",");
  }

  private Optional<Given> newest(String view, int entity, Instant at) {
    Given newest = null;
    for (Given given : histories.get(view).getOrDefault(entity, List.of())) {
      if (!given.at().isAfter(at) && (newest == null || given.at().isAfter(newest.at()))) {
        newest = given;
      }
    }
    return Optional.ofNullable(newest);
  }

  /** An as-of, or what is just beside it, or about as old as may be; sometimes any other. */
  private Instant moment(List<Instant> moments) {
    Instant asOf = moments.get(random.nextInt(moments.size()));
    Duration aside = Duration.ofNanos(1_000L * (random.nextInt(3) - 1));
    return switch (random.nextInt(5)) {
      case 0 -> asOf;
      case 1 -> asOf.plus(aside);
      case 2 -> asOf.plus(MAX_AGE).plus(aside);
      case 3 -> FIRST.minusSeconds(1 + random.nextInt(100_000));
      default -> FIRST.plusSeconds(random.nextInt(900_000));
    };
  }

  private static List<Instant> asOfs(int count, Duration step) {
    List<Instant> asOfs = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      asOfs.add(FIRST.plus(step.multipliedBy(i)));
    }
    return asOfs;
  }

  private static String shop(int entity) {
    return entity % 3 == 0 ? "a|b" : "é\\" + entity % 3;
  }

  private Row spineRow(int entity, Instant at) {
    double label = List.of(0.0, -0.0, Double.NaN, 1.5).get(random.nextInt(4));
    return RowFactory.create(
        shop(entity),
        (long) entity,
        label,
        at,
        random.nextBoolean()
            ? null
            : scala.collection.JavaConverters.mapAsScalaMap(Map.of("a", 1)));
  }

  private void write(String view, List<Instant> asOfs, double share) {
    Map<Integer, List<Given>> byEntity = new TreeMap<>();
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < CASES; i++) {
      Given last = null;
      for (Instant asOf : asOfs) {
        if (random.nextDouble() >= share) {
          continue;
        }
        boolean isSame = last != null && random.nextInt(3) > 0;
        Given given =
            isSame
                ? new Given(asOf, last.points(), last.text(), last.x())
                : new Given(
                    asOf,
                    random.nextInt(4) == 0 ? null : (long) random.nextInt(3),
                    random.nextInt(4) == 0 ? null : "t" + random.nextInt(3),
                    List.of(0.0, -0.0, Double.NaN, 0.1).get(random.nextInt(4)));
        byEntity.computeIfAbsent(i, entity -> new ArrayList<>()).add(given);
        rows.add(
            RowFactory.create(shop(i), (long) i, asOf, given.points(), given.text(), given.x()));
        last = given;
      }
    }
    histories.put(view, byEntity);
    bench
        .spark()
        .createDataFrame(rows, ROW)
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path(view).toString());
  }

  /** All as-ofs but the one that was built, at once. */
  private void append(String view, Instant built) throws Exception {
    FeatureTable table = FeatureTable.find(bench.lake(), view).orElseThrow();
    bench
        .spark()
        .read()
        .parquet(bench.path(view).toString())
        .filter(functions.col("at").gt(java.sql.Timestamp.from(built)))
        .selectExpr(
            "shop",
            "number",
            "at AS event_timestamp",
            "points AS %s_points".formatted(view),
            "text AS %s_text".formatted(view),
            "x AS %s_x".formatted(view))
        .writeTo(table.sqlName())
        .append();
  }

  private void define() {
    StringBuilder views = new StringBuilder();
    for (String view : List.of("daily", "hourly", "changed")) {
      views.append(
          """
          sources { %1$s { format = parquet, path = "%2$s" } }
          feature-views {
            %1$s {
              entity = till, sources = [%1$s]
              %3$s
              sql = "SELECT shop, number, points AS %1$s_points, text AS %1$s_text, x AS %1$s_x FROM %1$s WHERE at = :as_of"
              features = [
                { name = %1$s_points, type = bigint %4$s }
                { name = %1$s_text, type = string }
                { name = %1$s_x, type = double }
              ]
            }
          }
          """
              .formatted(
                  view,
                  bench.path(view),
                  (view.equals("hourly") ? "" : "max-age = 50h\n")
                      + (view.equals("changed") ? "history = changes" : ""),
                  view.equals("daily") ? ", default = -7" : ""));
    }
    bench.define(
        "views.conf",
        """
        entities { till { keys = [{ name = shop, type = string }, { name = number, type = bigint }] } }
        %s
        feature-services {
          all { features = [daily.daily_points, daily.daily_text, daily.daily_x, changed.changed_x,
            hourly.hourly_points, changed.changed_points] }
        }
        """
            .formatted(views));
  }
}
