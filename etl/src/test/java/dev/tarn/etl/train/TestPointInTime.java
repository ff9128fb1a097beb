package dev.tarn.etl.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Joins against what a plain loop over every pair says, for thousands of entities, each of them a
 * case: a random history in four views, and random rows of a spine.
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
  @Tag("slow")
  void eachRowGetsWhatALoopOverAllPairsFinds() throws Exception {
    // A day apart, hours apart, stored as changes, and with every entity in every as-of.
    List<Instant> daily = asOfs(9, Duration.ofDays(1));
    List<Instant> hourly = asOfs(20, Duration.ofHours(5));
    List<Instant> changed = asOfs(5, Duration.ofHours(36));
    define();
    write("daily", daily, 0.7);
    write("hourly", hourly, 0.3);
    write("changed", changed, 0.6);
    write("whole", daily, 1);
    for (String view : List.of("daily", "whole")) {
      bench.build(view, daily.get(0).toString());
      append(view, daily.get(0));
    }
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

    assertThat(
            compare(
                "all",
                spine,
                "daily_points",
                "daily_text",
                "daily_x",
                "changed_x",
                "hourly_points",
                "changed_points"))
        .anyMatch(row -> row.contains("-0.0"))
        .anyMatch(row -> row.contains("NaN"));
    // No default, so what is too old is not even read; entities lack rows in many as-ofs.
    compare("gaps", spine, "daily_text", "daily_x", "hourly_points");
    compare("mixed", spine, "whole_points", "daily_points", "whole_x");
    // Nobody is unknown and nothing lacks, so no row needs more than its own as-of.
    List<Row> known = spine.stream().filter(row -> row.getLong(1) < CASES).toList();
    compare("covered", known, "whole_x", "whole_points");
    // Of the last two as-ofs alone, the older ones of which are not read.
    List<Row> late =
        spine.stream().filter(row -> !row.getInstant(3).isBefore(daily.get(7))).toList();
    compare("gaps", late, "daily_text", "daily_x", "hourly_points");
    compare("mixed", late, "whole_points", "daily_points", "whole_x");
    // What no build writes: rows that are there twice.
    append("whole", daily.get(3));
    compare("covered", known, "whole_x", "whole_points");
    compare("mixed", spine, "whole_points", "daily_points", "whole_x");
  }

  /** The rows that the oracle expects, which are those that were found. */
  private List<String> compare(String service, List<Row> spine, String... features) {
    Dataset<Row> joined =
        Training.join(
                bench.spark(),
                bench.spark().createDataFrame(spine, SPINE).repartition(3),
                service,
                TrainingScores.settings(bench))
            .rows();
    assertThat(joined.schema().fieldNames())
        .startsWith("shop", "number", "label", "event_timestamp", "note")
        .endsWith(features);
    List<String> found = joined.collectAsList().stream().map(Row::toString).sorted().toList();
    List<String> expected = spine.stream().map(row -> expected(row, features)).sorted().toList();
    assertThat(found).as(service).isEqualTo(expected);
    return expected;
  }

  private String expected(Row row, String... features) {
    int entity = (int) row.getLong(1);
    Instant at = row.getInstant(3);
    Map<String, Given> newest = new TreeMap<>();
    for (String feature : features) {
      String view = feature.substring(0, feature.indexOf('_'));
      newest(view, entity, at).ifPresent(given -> newest.put(view, given));
    }
    List<Object> values = new ArrayList<>();
    for (int i = 0; i < row.size(); i++) {
      values.add(row.get(i));
    }
    // As Spark has a map.
    values.set(4, row.get(4) == null ? null : "Map(a -> 1)");
    for (String feature : features) {
      String view = feature.substring(0, feature.indexOf('_'));
      boolean hasMaxAge = List.of("daily", "changed").contains(view);
      Optional<Given> recent =
          Optional.ofNullable(newest.get(view))
              .filter(given -> !hasMaxAge || !given.at().isBefore(at.minus(MAX_AGE)));
      Object value =
          switch (feature.substring(feature.indexOf('_') + 1)) {
            case "points" -> recent.map(Given::points).orElse(null);
            case "text" -> recent.map(Given::text).orElse(null);
            default -> recent.map(Given::x).orElse(null);
          };
      boolean hasDefault = feature.equals("daily_points");
      values.add(value == null && hasDefault && !newest.isEmpty() ? Long.valueOf(-7) : value);
    }
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
    FeatureTable table = FeatureTable.find(bench.lake().catalog(), view).orElseThrow();
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
    for (String view : List.of("daily", "hourly", "changed", "whole")) {
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
                  (List.of("daily", "changed").contains(view) ? "max-age = 50h\n" : "")
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
          gaps { features = [daily.daily_text, daily.daily_x, hourly.hourly_points] }
          mixed { features = [whole.whole_points, daily.daily_points, whole.whole_x] }
          covered { features = [whole.whole_x, whole.whole_points] }
        }
        """
            .formatted(views));
  }
}
