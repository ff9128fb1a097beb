package dev.tarn.etl.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.EventIdReader;
import dev.tarn.etl.window.EventReader;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;

/** Repeated events are told as in the event table. */
class TestRepeatedIds {

  private static final long START = 1_767_225_600_000_000L;
  private static final long SECOND = 1_000_000;
  private static final int EVENTS = 8_000;

  @Test
  void theSameEventsRepeatAsInTheEventTable() throws Exception {
    Workbench bench = new Workbench();
    bench.define(
        "source.conf",
        """
        sources { clicks {
          format = kafka, topic = clicks, table = "%s.clicks", value = json, timestamp = at
          schema = "id STRING, at TIMESTAMP", event-id = id, event-id-horizon = 10s
        } }
        """
            .formatted("e" + bench.settings().read(tarn -> tarn.getString("database"))));
    Source source = bench.definitions().streamSource("clicks");
    Lake lake = bench.lake();
    List<InternalRow> events = events();

    Set<String> kept = new TreeSet<>();
    Map<Integer, RepeatedIds> ids = new TreeMap<>();
    EventReader.under(
        Lake.sqlSettings(bench.settings()),
        () -> {
          EventIdReader reader = new EventIdReader(source);
          for (InternalRow event : events) {
            RepeatedIds known =
                ids.computeIfAbsent(event.getInt(2), p -> new RepeatedIds(10 * SECOND));
            OptionalLong arrivedAt =
                event.isNullAt(4) ? OptionalLong.empty() : OptionalLong.of(event.getLong(4));
            boolean repeats =
                reader.read(event).map(id -> known.repeats(id, arrivedAt)).orElse(false);
            if (!repeats) {
              kept.add(event.getInt(2) + " " + event.getLong(3));
            }
          }
          return true;
        });

    EventTable.findOrCreate(
        lake.catalog(), source, SparkSchemaUtil.convert(source.columns().orElseThrow()));
    lake.spark()
        .internalCreateDataFrame(
            JavaSparkContext.fromSparkContext(lake.spark().sparkContext())
                .parallelize(events, 1)
                .rdd(),
            source.columns().orElseThrow(),
            false)
        .writeTo("tarn." + source.stream().orElseThrow().table())
        .append();
    Set<String> expected = new TreeSet<>();
    SourceTables.open(lake.spark(), List.of(source))
        .events(source, Long.MIN_VALUE, Values.micros(Instant.parse("9999-01-01T00:00:00Z")))
        .selectExpr("concat(kafka_partition, ' ', kafka_offset)")
        .collectAsList()
        .forEach(row -> expected.add(row.getString(0)));
    assertThat(kept).isEqualTo(expected);
    assertThat(kept.size()).isBetween(EVENTS / 10, EVENTS * 9 / 10);
    // What is beyond the horizon is forgotten.
    assertThat(ids.get(0).size()).isLessThan(EVENTS / 4);
  }

  /** Two partitions; ids that come again soon, late or never, and some without an id or a time. */
  private static List<InternalRow> events() {
    Random random = new Random(3);
    List<InternalRow> events = new ArrayList<>();
    long[] offsets = new long[2];
    long time = START;
    for (int n = 0; n < EVENTS; n++) {
      int partition = random.nextInt(2);
      time += random.nextInt(40) * SECOND / 10;
      boolean isOld = n < 200 && n % 5 == 0;
      String id =
          n % 3 == 0 ? "once " + n : n % 3 == 1 ? "often " + random.nextInt(8) : "again " + n / 9;
      events.add(
          new GenericInternalRow(
              new Object[] {
                n % 50 == 0 ? null : UTF8String.fromString(id),
                START,
                partition,
                offsets[partition]++,
                isOld ? null : time
              }));
    }
    return events;
  }
}
