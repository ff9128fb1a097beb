package dev.tarn.etl.archive;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.iceberg.Snapshot;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** Checks an event table: whether each offset before the cut is there once, and nothing else. */
public final class EventTableCheck {

  private static final String GAPS =
      " (a topic that is compacted or has transactions has gaps of its own)";

  private final Lake lake;
  private final Source source;
  private final EventTable table;
  private final UndecodedTable undecoded;

  EventTableCheck(Lake lake, Source source, EventTable table, UndecodedTable undecoded) {
    this.lake = lake;
    this.source = source;
    this.table = table;
    this.undecoded = undecoded;
  }

  /**
   * Checks the event table of a stream source.
   *
   * @return what to tell of a table that is right
   * @throws TarnException if it is not there, or not right
   */
  public static String of(Lake lake, Source source) {
    EventTable table =
        EventTable.find(lake.catalog(), source.stream().orElseThrow())
            .filter(found -> found.main().isPresent())
            .orElseThrow(
                () ->
                    new TarnException(
                        "source '%s': there is no event table %s yet; ./tarn archive source=%s makes and fills it"
                            .formatted(source.name(), source.location(), source.name())));
    UndecodedTable beside = new UndecodedTable(lake.catalog(), source.stream().orElseThrow());
    return new EventTableCheck(lake, source, table, beside).run();
  }

  private String run() {
    Snapshot main = table.main().orElseThrow();
    List<Snapshot> foreign = table.foreign(main);
    if (!foreign.isEmpty()) {
      throw new TarnException(ofForeign(foreign));
    }
    Cut cut = table.cut(main).orElseGet(this::cutOfRows);
    Places.Findings findings = Places.check(places(cut), cut);
    if (!findings.wrong().isEmpty()) {
      List<String> all = new ArrayList<>(findings.wrong());
      all.addAll(findings.gaps());
      throw new TarnException(
          "%s is not right\n  %s".formatted(table.sqlName(), String.join("\n  ", all)));
    }
    return "%s has each offset before its cut (%s) once%s"
        .formatted(
            table.sqlName(),
            cut.shown(),
            findings.gaps().isEmpty()
                ? ""
                : ", but for " + String.join("", findings.gaps()) + GAPS);
  }

  /** Says what others did to the table, and what its offsets look like since. */
  String ofForeign(List<Snapshot> foreign) {
    Cut cut = table.cut(foreign.get(0)).orElseGet(this::cutOfRows);
    Places.Findings findings = Places.check(places(cut), cut);
    List<String> lines = new ArrayList<>(findings.wrong());
    findings.gaps().forEach(gap -> lines.add(gap + GAPS));
    Snapshot first = foreign.get(foreign.size() - 1);
    return "something else than archiving has changed the event table %s: %s\n  %s\nTake that back, e.g. %s, or keep it: ./tarn archive source=%s accept=true"
        .formatted(
            table.sqlName(),
            foreign.stream().map(EventTableCheck::shown).collect(Collectors.joining("; ")),
            lines.isEmpty()
                ? "each offset before the cut is there once, and nothing else"
                : String.join("\n  ", lines),
            first.parentId() == null
                ? "drop the table"
                : "CALL tarn.system.rollback_to_snapshot('%s', %d)"
                    .formatted(source.stream().orElseThrow().table(), first.parentId()),
            source.name());
  }

  private static String shown(Snapshot snapshot) {
    return "snapshot %d (%s at %s, %s added, %s deleted)"
        .formatted(
            snapshot.snapshotId(),
            snapshot.operation(),
            Instant.ofEpochMilli(snapshot.timestampMillis()),
            Plural.of(count(snapshot, "added-records"), "row"),
            count(snapshot, "deleted-records"));
  }

  private static long count(Snapshot snapshot, String property) {
    return Long.parseLong(snapshot.summary().getOrDefault(property, "0"));
  }

  /** The cut that the events show. Messages after the last of them are then read once more. */
  Cut cutOfRows() {
    return Places.cutOf(lake.spark().table(table.sqlName()), source.stream().orElseThrow().topic());
  }

  /**
   * The places in both tables. In the one beside, rows beyond the cut are what a dead round left.
   */
  private Dataset<Row> places(Cut cut) {
    Optional<Dataset<Row>> beside =
        undecoded.main().map(main -> Places.before(lake.spark().table(undecoded.sqlName()), cut));
    return Places.of(lake.spark().table(table.sqlName()), beside);
  }
}
