package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.etl.RetailOrders.Features;
import dev.tarn.etl.read.SnapshotLookup;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.Period;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The example of docs/examples/online-retail.md with its real data, from the files to the answers:
 * 13 as-ofs built in one run, pushed, served, and every value compared with {@link RetailOrders}.
 * Skipped where the data are not next to the checkout, in {@code ../shared/data/online-retail}.
 */
@Tag("slow")
class RetailIT {

  private static final String VIEW = "customer_orders";
  private static final LocalDate FIRST = LocalDate.parse("2011-10-11");
  private static final LocalDate FIRST_WINDOW = LocalDate.parse("2011-10-12");
  private static final Period STEP = Period.ofDays(5);
  // The midnight after the newest line.
  private static final LocalDate LAST = LocalDate.parse("2011-12-10");
  private static final String NOBODY = "99999";
  private static final int BATCH = 1_000;

  @Test
  void everyValueOfEveryCustomerIsWhatPlainJavaGets() throws IOException {
    Path home = Path.of(System.getProperty("tarn.home"));
    Path data = home.resolve("../shared/data/online-retail").normalize();
    assumeTrue(Files.isDirectory(data), "the Online Retail data are not at " + data);
    Workbench bench = bench(home, data);

    double buildSeconds =
        seconds(
            () -> run(bench, "build", "view=" + VIEW, "from=" + FIRST, "to=" + LAST, "every=5d"));
    double pushSeconds = seconds(() -> bench.push(VIEW));

    RetailOrders orders = RetailOrders.read(data);
    Map<Long, Features> newest = orders.asOf(LAST.atStartOfDay());
    assertThat(newest).doesNotContainKey(Long.valueOf(NOBODY));
    List<String> differences = new ArrayList<>();
    long rows = compareLake(bench, orders, differences);
    GetOnlineFeaturesResponse online;
    try (LookupProcess server = LookupProcess.start(bench)) {
      online = lookUp(server, newest.keySet());
    }
    Map<Long, Features> answered = new TreeMap<>();
    online
        .getResultsMap()
        .forEach(
            (id, set) -> {
              if (!id.equals(NOBODY)) {
                answered.put(Long.valueOf(id), features(set));
              }
            });
    compare("online", newest, answered, differences);

    run(bench, "build", "view=customer_recent", "from=" + FIRST_WINDOW, "to=" + LAST);
    long windowRows = compareWindows(bench, orders.windows(), differences);

    assertThat(differences).isEmpty();
    FeatureSet nobody = online.getResultsOrThrow(NOBODY);
    assertThat(nobody.getFeaturesMap()).isEmpty();
    assertThat(nobody.getStatusesMap().values())
        .hasSize(Features.COUNT)
        .containsOnly(FeatureStatus.FEATURE_STATUS_NOT_FOUND);
    assertThat(inIceberg(bench, online)).isEqualTo(online.getResultsMap());
    System.out.printf(
        Locale.ROOT,
        "RetailIT: %,d order lines; %,d customers × %d features online and by get snapshot=, and"
            + " %,d rows × %d features of 13 as-ofs in Iceberg, %,d rows of windows of 60 as-ofs: %d"
            + " differences; build %.1f s, push %.1f s%n",
        orders.lines(),
        answered.size(),
        Features.COUNT,
        rows,
        Features.COUNT,
        windowRows,
        differences.size(),
        buildSeconds,
        pushSeconds);
  }

  /** A workbench with the definitions as they are shipped. */
  private static Workbench bench(Path home, Path data) throws IOException {
    Workbench bench = new Workbench();
    Path state = Files.createDirectories(bench.path("state"));
    Files.createSymbolicLink(state.resolve("online-retail"), data.toAbsolutePath());
    return bench
        .set("state", state.toString())
        .set("definitions", home.resolve("conf/examples/online-retail").toString());
  }

  /** Runs a command by the launcher, with all compilers that Java has: there is enough to do. */
  private static void run(Workbench bench, String... words) {
    Shell.Result result = Shell.tarn(bench, Map.of("TARN_JOB_OPTS", ""), words);
    assertThat(result.status()).as(result.output()).isZero();
  }

  /** Compares every row of the feature table; the result is their number. */
  private static long compareLake(Workbench bench, RetailOrders orders, List<String> differences) {
    List<Row> rows =
        bench.spark().sql("SELECT * FROM " + bench.lake().sqlName(VIEW)).collectAsList();
    Map<Instant, Map<Long, Features>> built = new TreeMap<>();
    for (Row row : rows) {
      Features before =
          built
              .computeIfAbsent(row.getAs("event_timestamp"), asOf -> new HashMap<>())
              .put(row.getAs("customer_id"), features(row));
      assertThat(before).as("a second row %s", row).isNull();
    }
    List<Instant> asOfs =
        FIRST
            .datesUntil(LAST.plusDays(1), STEP)
            .map(day -> day.atStartOfDay().toInstant(ZoneOffset.UTC))
            .toList();
    assertThat(built.keySet()).hasSize(13).containsExactlyElementsOf(asOfs);
    built.forEach(
        (asOf, features) ->
            compare(
                "as of " + asOf,
                orders.asOf(LocalDateTime.ofInstant(asOf, ZoneOffset.UTC)),
                features,
                differences));
    return rows.size();
  }

  /** Compares every row of the window view's table; the result is their number. */
  private static long compareWindows(
      Workbench bench, RetailWindows windows, List<String> differences) {
    Map<Instant, Map<Long, RetailWindows.Features>> built = new TreeMap<>();
    List<Row> rows =
        bench
            .spark()
            .sql("SELECT * FROM " + bench.lake().sqlName("customer_recent"))
            .collectAsList();
    for (Row row : rows) {
      RetailWindows.Features before =
          built
              .computeIfAbsent(row.getAs("event_timestamp"), asOf -> new HashMap<>())
              .put(
                  row.getAs("customer_id"),
                  new RetailWindows.Features(
                      row.getAs("lines_7d"),
                      Optional.ofNullable(row.getAs("spend_30d")),
                      Optional.ofNullable(row.getAs("unit_price_30d")),
                      row.getAs("products_30d"),
                      row.<Integer>getAs("largest_quantity_90d"),
                      row.getList(row.fieldIndex("last_products_90d")),
                      row.getAs("seconds_since_line")));
      assertThat(before).as("a second row %s", row).isNull();
    }
    assertThat(built).hasSize(60);
    built.forEach(
        (asOf, features) -> {
          Map<Long, RetailWindows.Features> expected = windows.asOf(asOf);
          features.replaceAll(
              (customer, given) ->
                  expected.containsKey(customer)
                      ? withoutEstimate(given, expected.get(customer).products30d())
                      : given);
          compare("as of " + asOf, expected, features, differences);
        });
    return rows.size();
  }

  /**
   * Puts the count of products in the place of an estimate that is near it: more than 256 different
   * values are estimated, with a standard error of 1.6 %.
   */
  private static RetailWindows.Features withoutEstimate(
      RetailWindows.Features given, long products) {
    boolean isEstimate = products > 256 && Math.abs(given.products30d() - products) < products / 10;
    return new RetailWindows.Features(
        given.lines7d(),
        given.spend30d(),
        given.unitPrice30d(),
        isEstimate ? products : given.products30d(),
        given.largestQuantity90d(),
        given.lastProducts90d(),
        given.secondsSinceLine());
  }

  /** Every customer, in batches, and one that has never ordered. */
  private static GetOnlineFeaturesResponse lookUp(LookupProcess server, Set<Long> customers) {
    List<String> ids = new ArrayList<>();
    customers.forEach(customer -> ids.add(Long.toString(customer)));
    ids.add(NOBODY);
    GetOnlineFeaturesResponse.Builder all = GetOnlineFeaturesResponse.newBuilder();
    Set<ViewVersion> versions = new LinkedHashSet<>();
    for (int from = 0; from < ids.size(); from += BATCH) {
      GetOnlineFeaturesResponse answer =
          server
              .stub()
              .getOnlineFeatures(
                  GetOnlineFeaturesRequest.newBuilder()
                      .setEntity("customer")
                      .addAllEntityIds(ids.subList(from, Math.min(ids.size(), from + BATCH)))
                      .setIncludeEventTimestamps(true)
                      .build());
      all.putAllResults(answer.getResultsMap());
      versions.addAll(answer.getVersionsList());
    }
    assertThat(versions).hasSize(1);
    assertThat(Timestamps.toString(versions.iterator().next().getAsOf()))
        .isEqualTo(LAST + "T00:00:00Z");
    return all.addAllVersions(versions).build();
  }

  /** The same customers' answers from the snapshot that the server named. */
  private static Map<String, FeatureSet> inIceberg(
      Workbench bench, GetOnlineFeaturesResponse online) {
    return new SnapshotLookup(bench.lake())
        .get(
            bench.definitions().view(VIEW),
            Long.toString(online.getVersions(0).getSnapshotId()),
            List.copyOf(online.getResultsMap().keySet()),
            List.of())
        .getResultsMap();
  }

  private static <T> void compare(
      String where, Map<Long, T> expected, Map<Long, T> actual, List<String> differences) {
    Set<Long> customers = new TreeSet<>(expected.keySet());
    customers.addAll(actual.keySet());
    for (Long customer : customers) {
      Optional<T> wanted = Optional.ofNullable(expected.get(customer));
      Optional<T> given = Optional.ofNullable(actual.get(customer));
      if (!wanted.equals(given)) {
        differences.add("customer %d %s: %s, not %s".formatted(customer, where, given, wanted));
      }
    }
  }

  private static Features features(Row row) {
    return new Features(
        Optional.ofNullable(row.getAs("average_order_value")),
        row.<Long>getAs("orders"),
        Optional.ofNullable(row.getAs("days_since_last_order")),
        row.<Long>getAs("distinct_products"),
        Optional.ofNullable(row.getAs("returned_line_share")),
        Optional.ofNullable(row.getAs("favourite_country")));
  }

  private static Features features(FeatureSet set) {
    assertThat(set.getFeaturesMap()).hasSize(Features.COUNT);
    return new Features(
        value(set, "average_order_value").map(Value::getStringValue).map(BigDecimal::new),
        integer(set, "orders").orElseThrow(),
        integer(set, "days_since_last_order"),
        integer(set, "distinct_products").orElseThrow(),
        value(set, "returned_line_share").map(Value::getNumberValue),
        value(set, "favourite_country").map(Value::getStringValue));
  }

  private static Optional<Long> integer(FeatureSet set, String feature) {
    return value(set, feature)
        .map(value -> new BigDecimal(value.getNumberValue()).longValueExact());
  }

  /** A feature's value; empty if it is null, and then its status says so too. */
  private static Optional<Value> value(FeatureSet set, String feature) {
    Value value = set.getFeaturesOrThrow(feature);
    FeatureStatus status = set.getStatusesOrDefault(feature, FeatureStatus.FEATURE_STATUS_PRESENT);
    assertThat(status)
        .as("status of %s", feature)
        .isEqualTo(
            value.hasNullValue()
                ? FeatureStatus.FEATURE_STATUS_NULL_VALUE
                : FeatureStatus.FEATURE_STATUS_PRESENT);
    return Optional.of(value).filter(given -> !given.hasNullValue());
  }

  private static double seconds(Runnable step) {
    Instant start = Instant.now();
    step.run();
    return Duration.between(start, Instant.now()).toMillis() / 1000.0;
  }
}
