package dev.tarn.etl.catalog;

import dev.tarn.live.Cut;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.Schema;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.types.Types;

/**
 * The ledger of the cuts of live views: how far lookups of a view had come at a moment. Every now
 * and then a row is added. It outlives Redis.
 */
public final class LiveCuts {

  private static final String VIEW = "feature_view";
  private static final String AT = "at";
  private static final String GENERATION = "generation";
  private static final String OFFSETS = "offsets";
  private static final String COMPLETE_THROUGH = "complete_through";

  private static final Schema SCHEMA =
      new Schema(
          Types.NestedField.required(1, VIEW, Types.StringType.get()),
          Types.NestedField.required(2, AT, Types.TimestampType.withZone()),
          Types.NestedField.required(3, GENERATION, Types.StringType.get()),
          Types.NestedField.required(
              4, OFFSETS, Types.ListType.ofRequired(5, Types.LongType.get())),
          Types.NestedField.required(6, COMPLETE_THROUGH, Types.TimestampType.withZone()));

  /**
   * A cut that a view had.
   *
   * @param at from this moment on, until the next one
   * @param cut all events before it were applied
   * @param completeThrough the time up to which the stream was known to be applied
   */
  public record LiveCut(
      String view, Instant at, String generation, Cut cut, Instant completeThrough) {}

  private final Ledger ledger;

  public LiveCuts(IcebergCatalog catalog) {
    ledger = new Ledger(catalog, Ledger.LIVE_CUTS, SCHEMA);
  }

  /** Adds cuts in one commit. */
  public void add(List<LiveCut> cuts) {
    ledger.append("the cuts of live views", cuts.stream().map(this::row).toList());
  }

  /** The cuts of a view, the oldest first. */
  public List<LiveCut> of(String view) {
    return read(Expressions.equal(VIEW, view));
  }

  /** The cuts of a view up to a moment, the oldest first. */
  public List<LiveCut> upTo(String view, Instant moment) {
    return read(
        Expressions.and(
            Expressions.equal(VIEW, view), Expressions.lessThanOrEqual(AT, moment.toString())));
  }

  /** The newest cut of a view, of whatever generation. */
  public Optional<LiveCut> last(String view) {
    List<LiveCut> cuts = of(view);
    return cuts.isEmpty() ? Optional.empty() : Optional.of(cuts.get(cuts.size() - 1));
  }

  private List<LiveCut> read(Expression condition) {
    return ledger.read(condition).stream()
        .map(LiveCuts::cut)
        .sorted(Comparator.comparing(LiveCut::at))
        .toList();
  }

  private Record row(LiveCut cut) {
    Record row = ledger.row();
    row.setField(VIEW, cut.view());
    row.setField(AT, cut.at().atOffset(ZoneOffset.UTC));
    row.setField(GENERATION, cut.generation());
    List<Long> offsets = new ArrayList<>();
    for (int i = 0; i < cut.cut().partitions(); i++) {
      offsets.add(cut.cut().next(i));
    }
    row.setField(OFFSETS, offsets);
    row.setField(COMPLETE_THROUGH, cut.completeThrough().atOffset(ZoneOffset.UTC));
    return row;
  }

  private static LiveCut cut(Record row) {
    List<?> offsets = (List<?>) row.getField(OFFSETS);
    return new LiveCut(
        (String) row.getField(VIEW),
        ((OffsetDateTime) row.getField(AT)).toInstant(),
        (String) row.getField(GENERATION),
        Cut.of(offsets.stream().mapToLong(Long.class::cast).toArray()),
        ((OffsetDateTime) row.getField(COMPLETE_THROUGH)).toInstant());
  }
}
