package dev.tarn.etl.catalog;

import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.iceberg.Schema;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.Types;

/** The ledger of cuts: how far the live job was with each view, once a while. */
public final class LiveCuts {

  /**
   * How far a view was.
   *
   * @param at the moment at which that was known
   * @param generation of its live cells
   * @param cut what was applied at least; its topic id is empty where the brokers know none
   * @param completeThrough the time up to which the stream was known to be applied; empty: not
   *     known
   */
  public record LiveCut(
      String view, Instant at, String generation, Cut cut, Optional<Instant> completeThrough) {}

  private static final String VIEW = "feature_view";
  private static final String AT = "at";
  private static final String GENERATION = "generation";
  private static final String TOPIC = "topic";
  private static final String TOPIC_ID = "topic_id";
  private static final String CUT = "cut";
  private static final String THROUGH = "complete_through";

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, VIEW, Types.StringType.get()),
          Types.NestedField.required(2, AT, Types.TimestampType.withZone()),
          Types.NestedField.required(3, GENERATION, Types.StringType.get()),
          Types.NestedField.required(4, TOPIC, Types.StringType.get()),
          Types.NestedField.required(5, TOPIC_ID, Types.StringType.get()),
          Types.NestedField.required(
              6,
              CUT,
              Types.MapType.ofRequired(7, 8, Types.IntegerType.get(), Types.LongType.get())),
          Types.NestedField.optional(9, THROUGH, Types.TimestampType.withZone()));

  /** Spans in which the newest cut is looked for, so that not all of the ledger is read. */
  private static final List<Duration> SPANS = List.of(Duration.ofHours(1), Duration.ofDays(2));

  private final Ledger ledger;

  public LiveCuts(IcebergCatalog catalog) {
    ledger = new Ledger(catalog, Ledger.CUTS, SCHEMA);
  }

  /** Adds cuts in one commit. */
  public void add(List<LiveCut> cuts) {
    ledger.append("the cuts of live views", cuts.stream().map(this::row).toList());
  }

  /** The newest cut of a view, of any generation. */
  public Optional<LiveCut> newest(String view) {
    return newest(view, Instant.now());
  }

  /** The newest cut of a view that was known at a moment. */
  public Optional<LiveCut> newest(String view, Instant at) {
    for (Duration span : SPANS) {
      Optional<LiveCut> found = last(between(view, at.minus(span), at));
      if (found.isPresent()) {
        return found;
      }
    }
    return last(read(view, Expressions.lessThanOrEqual(AT, micros(at))));
  }

  /** The cuts of a view between two moments, both included, in order of time. */
  public List<LiveCut> between(String view, Instant from, Instant to) {
    return read(
        view,
        Expressions.and(
            Expressions.greaterThanOrEqual(AT, micros(from)),
            Expressions.lessThanOrEqual(AT, micros(to))));
  }

  private List<LiveCut> read(String view, Expression time) {
    return ledger.read(Expressions.and(Expressions.equal(VIEW, view), time)).stream()
        .map(LiveCuts::cut)
        .sorted(Comparator.comparing(LiveCut::at))
        .toList();
  }

  private static Optional<LiveCut> last(List<LiveCut> cuts) {
    return cuts.isEmpty() ? Optional.empty() : Optional.of(cuts.get(cuts.size() - 1));
  }

  private static long micros(Instant moment) {
    return Values.micros(moment);
  }

  private Record row(LiveCut cut) {
    Record row = ledger.row();
    row.setField(VIEW, cut.view());
    row.setField(AT, cut.at().atOffset(ZoneOffset.UTC));
    row.setField(GENERATION, cut.generation());
    row.setField(TOPIC, cut.cut().topic());
    row.setField(TOPIC_ID, cut.cut().topicId());
    row.setField(CUT, new TreeMap<>(cut.cut().offsets()));
    cut.completeThrough()
        .ifPresent(through -> row.setField(THROUGH, through.atOffset(ZoneOffset.UTC)));
    return row;
  }

  @SuppressWarnings("unchecked") // The schema says so.
  private static LiveCut cut(Record row) {
    return new LiveCut(
        (String) row.getField(VIEW),
        ((OffsetDateTime) row.getField(AT)).toInstant(),
        (String) row.getField(GENERATION),
        new Cut(
            (String) row.getField(TOPIC),
            (String) row.getField(TOPIC_ID),
            new TreeMap<>((Map<Integer, Long>) row.getField(CUT))),
        Optional.ofNullable((OffsetDateTime) row.getField(THROUGH)).map(OffsetDateTime::toInstant));
  }
}
