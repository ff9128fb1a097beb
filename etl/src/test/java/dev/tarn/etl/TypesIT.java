package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.common.io.BaseEncoding;
import com.google.protobuf.ListValue;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import com.typesafe.config.ConfigUtil;
import dev.tarn.api.v1.Feature;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.verify.Verification;
import dev.tarn.etl.verify.Verify;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import scala.collection.JavaConverters;
import scala.collection.Seq;

/**
 * Any value of any type that a feature may have comes through: source → Iceberg → Redis → gRPC, for
 * random schemas, random entity keys and values that are easily got wrong. Each answer is held
 * against the snapshot that it names and against {@link #promised}, which says docs/contracts.md
 * once more and knows none of Tarn's own conversions.
 *
 * <p>A failure names its seed; {@code -Dtarn.types.seed=…} tries another one, {@code
 * -Dtarn.types.schemas=…} more or fewer schemas.
 */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class TypesIT {

  private static final long SEED = Long.getLong("tarn.types.seed", 20_260_105L);
  private static final Instant OLDER = Instant.parse("2026-01-05T00:00:00Z");
  private static final Instant NEWER = Instant.parse("2026-01-06T12:34:56.789012Z");
  private static final int ENTITIES = 130;

  private static Workbench bench;
  private static LookupProcess server;

  /** Key columns, and the entities that there are with how each is written as an entity id. */
  private record Keys(StructType columns, Map<String, List<Object>> byId) {}

  /** The expected answer for an entity, from the generated row. */
  private record Expected(Instant asOf, Row row) {}

  @BeforeAll
  static void start() {
    bench = new Workbench();
    server = LookupProcess.start(bench);
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static IntStream schemas() {
    return IntStream.range(0, Integer.getInteger("tarn.types.schemas", 6));
  }

  @ParameterizedTest
  @MethodSource("schemas")
  void whatWasGeneratedIsWhatIcebergHasAndWhatAClientGets(int number) {
    Random random = new Random(SEED + number);
    StructType features =
        number == 0 ? FeatureGenerators.schemaOfAllTypes() : FeatureGenerators.randomSchema(random);
    try {
      check(number, random, features);
    } catch (Throwable e) {
      throw new AssertionError(
          "-Dtarn.types.seed=%d, schema %d: %s".formatted(SEED, number, features.sql()), e);
    }
  }

  private static void check(int number, Random random, StructType features) {
    String view = "types" + number;
    Keys keys = keys(number, random);
    Map<String, Expected> expected = new TreeMap<>();
    // Some views have entities that only an older as-of knows, or that both know.
    boolean hasTwo = number % 4 == 0;
    List<Row> source = new ArrayList<>();
    List<Row> generated = FeatureGenerators.rows(random, features, ENTITIES * 2);
    keys.byId()
        .forEach(
            (id, key) -> {
              int i = expected.size();
              if (hasTwo && i % 5 < 2) {
                Row row = generated.get(ENTITIES + i);
                source.add(sourceRow(key, OLDER, row));
                expected.put(id, new Expected(OLDER, row));
              }
              if (!hasTwo || i % 5 != 0) {
                Row row = generated.get(i);
                source.add(sourceRow(key, NEWER, row));
                expected.put(id, new Expected(NEWER, row));
              }
            });
    define(number, keys, features, writeSource(number, keys, features, source));
    bench.set("push.rows-per-bucket", Integer.toString(1 + random.nextInt(80)));
    bench.build(
        view,
        hasTwo
            ? new String[] {OLDER.toString(), NEWER.toString()}
            : new String[] {NEWER.toString()});
    bench.push(view);
    await().untilAsserted(() -> assertThat(listed()).containsKey(view));

    assertListedAs(features, listed().get(view));
    GetOnlineFeaturesResponse answer = get(number, keys, List.of());
    assertAnswered(view, features, expected, answer);
    assertAsInIceberg(view, answer);
    assertVerified(view);

    List<String> names = new ArrayList<>();
    for (String name : features.fieldNames()) {
      if (random.nextBoolean()) {
        names.add(name);
      }
    }
    if (!names.isEmpty()) {
      assertSame(names, answer, get(number, keys, names));
    }
  }

  /** Asserts that verify finds no difference where there is none, whatever the types. */
  private static void assertVerified(String view) {
    Verification verification =
        new Verify(bench.lake(), bench.redis(), Console.silent())
            .verify(bench.definitions().view(view), Verify.VerifyRequest.ALL);
    assertThat(verification.first()).isEmpty();
    assertThat(verification.isEqual()).isTrue();
    assertThat(verification.online()).isEqualTo(verification.record().getRows());
  }

  /** The promise of docs/contracts.md, from nothing but the generated value and its type. */
  private static Value promised(Object value, DataType type) {
    if (value == null) {
      return Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();
    }
    if (value instanceof Boolean bool) {
      return Value.newBuilder().setBoolValue(bool).build();
    }
    if (value instanceof Integer || value instanceof Float || value instanceof Double) {
      return number(((Number) value).doubleValue());
    }
    if (value instanceof Long bigint) {
      boolean isExact = Math.abs((double) bigint) < 0x1p53 || Math.abs(bigint) == 1L << 53;
      return isExact ? number(bigint) : text(bigint.toString());
    }
    if (value instanceof BigDecimal decimal) {
      // Spark allows 38 digits, so plain digits are never many.
      return text(decimal.setScale(((DecimalType) type).scale()).toPlainString());
    }
    if (value instanceof String string) {
      return text(string);
    }
    if (value instanceof byte[] bytes) {
      return text(BaseEncoding.base64().encode(bytes));
    }
    if (value instanceof LocalDate date) {
      return text(
          "%04d-%02d-%02d".formatted(date.getYear(), date.getMonthValue(), date.getDayOfMonth()));
    }
    if (value instanceof Instant instant) {
      return text(instant.toString());
    }
    if (value instanceof LocalDateTime local) {
      String utc = local.toInstant(ZoneOffset.UTC).toString();
      return text(utc.substring(0, utc.length() - 1));
    }
    if (value instanceof Row row) {
      Struct.Builder struct = Struct.newBuilder();
      StructField[] fields = ((StructType) type).fields();
      for (int i = 0; i < fields.length; i++) {
        struct.putFields(fields[i].name(), promised(row.get(i), fields[i].dataType()));
      }
      return Value.newBuilder().setStructValue(struct).build();
    }
    DataType element = ((ArrayType) type).elementType();
    ListValue.Builder list = ListValue.newBuilder();
    if (value instanceof Seq<?> sequence) {
      JavaConverters.seqAsJavaList(sequence).forEach(e -> list.addValues(promised(e, element)));
    } else {
      for (int i = 0; i < Array.getLength(value); i++) {
        list.addValues(promised(Array.get(value, i), element));
      }
    }
    return Value.newBuilder().setListValue(list).build();
  }

  private static void assertAnswered(
      String view,
      StructType features,
      Map<String, Expected> expected,
      GetOnlineFeaturesResponse answer) {
    assertThat(answer.getVersionsList()).hasSize(1);
    assertThat(answer.getVersions(0).getFeatureView()).isEqualTo(view);
    assertThat(answer.getVersions(0).getSnapshotId())
        .isEqualTo(
            FeatureTable.find(bench.lake().catalog(), view)
                .orElseThrow()
                .main()
                .orElseThrow()
                .snapshotId());
    Set<String> ids = new HashSet<>(expected.keySet());
    ids.add(nobody());
    assertThat(answer.getResultsMap().keySet()).isEqualTo(ids);
    expected.forEach(
        (id, row) -> {
          FeatureSet set = answer.getResultsOrThrow(id);
          assertThat(set.getEventTimestampsMap()).as("entity %s", id).containsOnlyKeys(view);
          assertThat(Timestamps.toString(set.getEventTimestampsOrThrow(view)))
              .as("event timestamp of entity %s", id)
              .isEqualTo(row.asOf().toString());
          assertThat(set.getFeaturesMap()).containsOnlyKeys(features.fieldNames());
          Map<String, FeatureStatus> statuses = new HashMap<>();
          for (int i = 0; i < features.size(); i++) {
            StructField field = features.apply(i);
            if (row.row().isNullAt(i)) {
              statuses.put(field.name(), FeatureStatus.FEATURE_STATUS_NULL_VALUE);
            }
            assertThat(
                    difference(
                        promised(row.row().get(i), field.dataType()),
                        set.getFeaturesOrThrow(field.name())))
                .as(
                    "entity %s, %s %s, against the contract",
                    id, field.name(), field.dataType().sql())
                .isEmpty();
          }
          assertThat(set.getStatusesMap()).as("statuses of %s", id).isEqualTo(statuses);
        });
    FeatureSet nobody = answer.getResultsOrThrow(nobody());
    assertThat(nobody.getFeaturesMap()).isEmpty();
    assertThat(nobody.getStatusesMap()).containsOnlyKeys(features.fieldNames());
  }

  private static void assertAsInIceberg(String view, GetOnlineFeaturesResponse answer) {
    Map<String, OnlineCopy.Entry> snapshot =
        OnlineCopy.inIceberg(bench, view, answer.getVersions(0).getSnapshotId());
    assertThat(snapshot).hasSize(answer.getResultsCount() - 1);
    snapshot.forEach(
        (id, entry) -> {
          FeatureSet set = answer.getResultsOrThrow(id);
          assertThat(set.getFeaturesMap().keySet()).isEqualTo(entry.values().keySet());
          entry
              .values()
              .forEach(
                  (name, value) ->
                      assertThat(difference(value, set.getFeaturesOrThrow(name)))
                          .as("entity %s, %s, against the snapshot", id, name)
                          .isEmpty());
        });
  }

  /** A request for some features gets of them what one for all got. */
  private static void assertSame(
      List<String> names, GetOnlineFeaturesResponse all, GetOnlineFeaturesResponse some) {
    assertThat(some.getVersionsList()).isEqualTo(all.getVersionsList());
    assertThat(some.getResultsMap().keySet()).isEqualTo(all.getResultsMap().keySet());
    all.getResultsMap()
        .forEach(
            (id, set) -> {
              FeatureSet expected =
                  set.toBuilder()
                      .clearFeatures()
                      .putAllFeatures(only(names, set.getFeaturesMap()))
                      .clearStatuses()
                      .putAllStatuses(only(names, set.getStatusesMap()))
                      .build();
              // Their equals tells all doubles apart but the NaNs.
              assertThat(some.getResultsOrThrow(id).equals(expected))
                  .as("entity %s, asked for %s", id, names)
                  .isTrue();
            });
  }

  private static <T> Map<String, T> only(List<String> names, Map<String, T> all) {
    Map<String, T> some = new HashMap<>(all);
    some.keySet().retainAll(names);
    return some;
  }

  private static void assertListedAs(StructType features, FeatureView view) {
    Map<String, String> types = new LinkedHashMap<>();
    for (StructField field : features.fields()) {
      types.put(field.name(), field.dataType().catalogString());
    }
    Map<String, String> listed = new LinkedHashMap<>();
    for (Feature feature : view.getFeaturesList()) {
      listed.put(feature.getName(), feature.getType());
    }
    assertThat(listed).isEqualTo(types);
    assertThat(view.getRows()).isEqualTo(ENTITIES);
  }

  /** Finds where two values first differ, to the bit; empty if they are equal. */
  private static Optional<String> difference(Value expected, Value actual) {
    Map<String, Value> one = within(expected);
    Map<String, Value> other = within(actual);
    boolean isSame = expected.getKindCase() == actual.getKindCase();
    if (isSame && !(one.isEmpty() && other.isEmpty())) {
      if (one.keySet().equals(other.keySet())) {
        return one.keySet().stream()
            .flatMap(
                part ->
                    difference(one.get(part), other.get(part)).map(d -> part + ": " + d).stream())
            .findFirst();
      }
      isSame = false;
    } else if (expected.hasNumberValue()) {
      isSame =
          isSame
              && Double.doubleToRawLongBits(expected.getNumberValue())
                  == Double.doubleToRawLongBits(actual.getNumberValue());
    } else {
      isSame = isSame && expected.equals(actual);
    }
    return isSame ? Optional.empty() : Optional.of(brief(expected) + " became " + brief(actual));
  }

  /** The fields of a struct by their names, the elements of a list by their places. */
  private static Map<String, Value> within(Value value) {
    if (value.hasStructValue()) {
      return value.getStructValue().getFieldsMap();
    }
    Map<String, Value> elements = new LinkedHashMap<>();
    for (Value element : value.getListValue().getValuesList()) {
      elements.put("[%d]".formatted(elements.size()), element);
    }
    return elements;
  }

  /** Shortens a value for messages, since it may have 100 kB. */
  private static String brief(Value value) {
    String text = value.toString().strip();
    return text.length() <= 200 ? text : text.substring(0, 200) + "… (" + text.length() + ")";
  }

  private static Value number(double value) {
    return Value.newBuilder().setNumberValue(value).build();
  }

  private static Value text(String value) {
    return Value.newBuilder().setStringValue(value).build();
  }

  private static String nobody() {
    return "nobody";
  }

  private static GetOnlineFeaturesResponse get(int number, Keys keys, List<String> names) {
    return server
        .stub()
        .getOnlineFeatures(
            GetOnlineFeaturesRequest.newBuilder()
                .setEntity("entity" + number)
                .addAllEntityIds(keys.byId().keySet())
                .addEntityIds(nobody())
                .addAllFeatureNames(names)
                .setIncludeEventTimestamps(true)
                .build());
  }

  private static Map<String, FeatureView> listed() {
    Map<String, FeatureView> views = new HashMap<>();
    server
        .stub()
        .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
        .getFeatureViewsList()
        .forEach(view -> views.put(view.getName(), view));
    return views;
  }

  /** Another kind of key for each schema. */
  private static Keys keys(int number, Random random) {
    List<DataType> types =
        switch (number % 6) {
          case 0 -> List.of(DataTypes.LongType);
          case 1 -> List.of(DataTypes.StringType);
          case 2 -> List.of(DataTypes.StringType, DataTypes.LongType);
          case 3 -> List.of(DataTypes.IntegerType);
          case 4 -> List.of(DataTypes.StringType, DataTypes.StringType);
          default -> List.of(DataTypes.DateType);
        };
    StructType columns = new StructType();
    for (DataType type : types) {
      columns = columns.add("key" + columns.size(), type);
    }
    Map<String, List<Object>> byId = new TreeMap<>();
    while (byId.size() < ENTITIES) {
      List<Object> key = new ArrayList<>();
      for (DataType type : types) {
        key.add(keyValue(random, type));
      }
      String id = entityId(key);
      // The one id that no client can ask for, and the one that is to be unknown.
      if (!id.isEmpty() && !id.equals(nobody())) {
        byId.put(id, key);
      }
    }
    return new Keys(columns, byId);
  }

  private static Object keyValue(Random random, DataType type) {
    if (type.equals(DataTypes.StringType)) {
      return random.nextInt(30) == 0 ? "k🏔".repeat(80) : FeatureGenerators.randomText(random);
    }
    if (type.equals(DataTypes.DateType)) {
      long first = LocalDate.of(1, 1, 1).toEpochDay();
      return random.nextInt(10) == 0
          ? LocalDate.of(random.nextBoolean() ? 1 : 9999, 12, 1 + random.nextInt(31))
          : LocalDate.ofEpochDay(first + random.nextInt(3_652_059));
    }
    boolean isEdge = random.nextInt(10) == 0;
    if (type.equals(DataTypes.IntegerType)) {
      int edge = random.nextBoolean() ? Integer.MIN_VALUE : Integer.MAX_VALUE;
      return isEdge ? edge : random.nextInt() >> random.nextInt(32);
    }
    long edge = random.nextBoolean() ? Long.MIN_VALUE : Long.MAX_VALUE - random.nextInt(3);
    return isEdge ? edge : random.nextLong() >> random.nextInt(64);
  }

  /** docs/definitions.md: a single key as text; several joined by | with \ before | and \. */
  private static String entityId(List<Object> key) {
    if (key.size() == 1) {
      return key.get(0).toString();
    }
    List<String> escaped = new ArrayList<>();
    key.forEach(value -> escaped.add(value.toString().replaceAll("[|\\\\]", "\\\\$0")));
    return String.join("|", escaped);
  }

  private static Row sourceRow(List<Object> key, Instant at, Row features) {
    List<Object> values = new ArrayList<>(key);
    values.add(at);
    for (int i = 0; i < features.size(); i++) {
      values.add(features.get(i));
    }
    return RowFactory.create(values.toArray());
  }

  /** Parquet files or an Iceberg table in turn; the result is what to define them by. */
  private static String writeSource(int number, Keys keys, StructType features, List<Row> rows) {
    StructType schema = keys.columns().add("at", DataTypes.TimestampType);
    for (StructField field : features.fields()) {
      schema = schema.add(field);
    }
    SparkSession spark = bench.spark();
    Dataset<Row> source = spark.createDataFrame(rows, schema);
    if (number % 3 == 1) {
      String table = bench.lake().sqlName("source" + number);
      try {
        source.writeTo(table).create();
      } catch (Exception e) { // Scala does not declare TableAlreadyExistsException
        throw new IllegalStateException(e);
      }
      return "format = iceberg, table = " + ConfigUtil.quoteString(table);
    }
    // Spark writes dates from before 1582 only when it is told by which calendar.
    Map<String, String> calendar =
        Map.of(
            "spark.sql.parquet.datetimeRebaseModeInWrite",
            "CORRECTED",
            "spark.sql.parquet.int96RebaseModeInWrite",
            "CORRECTED");
    String path = bench.path("source" + number).toString();
    calendar.forEach((key, value) -> spark.conf().set(key, value));
    try {
      source.write().parquet(path);
    } finally {
      calendar.keySet().forEach(key -> spark.conf().unset(key));
    }
    return "format = parquet, path = " + ConfigUtil.quoteString(path);
  }

  private static void define(int number, Keys keys, StructType features, String source) {
    bench.define(
        "types%d.conf".formatted(number),
        """
        entities { entity%1$d { keys = [%2$s] } }
        sources { source%1$d { %3$s } }
        feature-views {
          types%1$d {
            entity = entity%1$d
            sources = [source%1$d]
            sql = "SELECT * FROM source%1$d WHERE at = :as_of"
            features = [
              %4$s
            ]
          }
        }
        """
            .formatted(number, named(keys.columns()), source, named(features)));
  }

  private static String named(StructType columns) {
    List<String> lines = new ArrayList<>();
    for (StructField field : columns.fields()) {
      lines.add(
          "{ name = %s, type = %s }"
              .formatted(field.name(), ConfigUtil.quoteString(field.dataType().sql())));
    }
    return String.join("\n      ", lines);
  }
}
