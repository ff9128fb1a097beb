package dev.tarn.etl.archive;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import dev.tarn.kafka.KafkaBroker;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Row;

/** A stream source of its own name, with its topic and its event table, on a workbench. */
public final class EventStream {

  private static final String SOURCE =
      """
      sources {
        %1$s {
          format = kafka
          topic = %1$s
          table = "events.%1$s"
          %2$s
        }
      }
      """;

  static final String JSON =
      "value = json, timestamp = at, schema = \"user_id BIGINT, at TIMESTAMP\"";

  private final Workbench bench = new Workbench();
  private final String name;
  private final ByteArrayOutputStream said = new ByteArrayOutputStream();
  private final PrintStream stream = new PrintStream(said, true, StandardCharsets.UTF_8);

  public EventStream(KafkaBroker broker, String name, String settings) {
    this.name = name;
    bench.set("kafka.bootstrap.servers", broker.address());
    define(settings);
  }

  public void define(String settings) {
    bench.define("stream.conf", SOURCE.formatted(name, settings));
  }

  public Workbench bench() {
    return bench;
  }

  public String name() {
    return name;
  }

  public Source source() {
    return bench.definitions().streamSource(name);
  }

  Archive archive(boolean skipsLost, boolean accepts) {
    Archive.Request request = new Archive.Request(skipsLost, accepts);
    return new Archive(
        bench.lake(), bench.settings(), new Console(stream, stream), source(), request);
  }

  /** Copies what the topic has. */
  public Archive.Outcome copy() {
    return archive(false, false).copy();
  }

  String said() {
    String text = said.toString(StandardCharsets.UTF_8);
    said.reset();
    return text;
  }

  public Lake lake() {
    return bench.lake();
  }

  public EventTable table() {
    EventTable table =
        EventTable.find(lake().catalog(), source().stream().orElseThrow()).orElseThrow();
    table.iceberg().refresh();
    return table;
  }

  Table iceberg() {
    return table().iceberg();
  }

  UndecodedTable undecoded() {
    return new UndecodedTable(lake().catalog(), source().stream().orElseThrow());
  }

  public Map<String, String> summary() {
    return main().summary();
  }

  Snapshot main() {
    return table().main().orElseThrow();
  }

  /** The events, a line each, in the order of their places. */
  public List<String> events(String... columns) {
    return rows("tarn.events." + name, columns);
  }

  /** The messages that could not be decoded, a line each, in the order of their places. */
  public List<String> beside(String... columns) {
    return rows("tarn.events." + name + "_undecoded", columns);
  }

  private List<String> rows(String table, String... columns) {
    return lake()
        .spark()
        .table(table)
        .orderBy("kafka_partition", "kafka_offset")
        .selectExpr(columns)
        .collectAsList()
        .stream()
        .map(EventStream::line)
        .toList();
  }

  private static String line(Row row) {
    Object[] values = new Object[row.length()];
    Arrays.setAll(values, row::get);
    return String.join(" ", Arrays.stream(values).map(String::valueOf).toList());
  }
}
