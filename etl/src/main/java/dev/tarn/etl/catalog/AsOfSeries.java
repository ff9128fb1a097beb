package dev.tarn.etl.catalog;

import dev.tarn.cli.TarnException;
import dev.tarn.row.Values;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/**
 * The as-ofs that a snapshot has, in whole microseconds as event timestamps are. Where only changes
 * are stored, the rows can't tell: an as-of at which nothing changed has none.
 *
 * <p>A snapshot's summary has them as text: as-ofs at equal distances are one run {@code
 * FIRST/STEP/COUNT}, so that years of days stay a few bytes, e.g. {@code
 * 2026-01-01T00:00:00Z/PT24H/60,2026-03-02T06:00:00Z}.
 */
public final class AsOfSeries {

  static final AsOfSeries EMPTY = new AsOfSeries(new TreeSet<>());

  private final NavigableSet<Instant> asOfs;

  private AsOfSeries(NavigableSet<Instant> asOfs) {
    this.asOfs = asOfs;
  }

  /**
   * Reads what {@link #toString} has written.
   *
   * @throws TarnException if it is anything else
   */
  static AsOfSeries parse(String text) {
    NavigableSet<Instant> asOfs = new TreeSet<>();
    try {
      for (String run : text.isEmpty() ? new String[0] : text.split(",", -1)) {
        String[] parts = run.split("/", -1);
        if (parts.length != 1 && parts.length != 3) {
          throw new NumberFormatException(run);
        }
        Instant asOf = Instant.parse(parts[0]);
        Duration step = parts.length == 1 ? Duration.ZERO : Duration.parse(parts[1]);
        int count = parts.length == 1 ? 1 : Integer.parseInt(parts[2]);
        for (int i = 0; i < count; i++, asOf = asOf.plus(step)) {
          asOfs.add(asOf);
        }
      }
    } catch (DateTimeException | NumberFormatException e) {
      throw new TarnException(
          "'%s' is no list of as-ofs such as 2026-01-01T00:00:00Z/PT24H/60 (%s of a snapshot's summary)"
              .formatted(text, FeatureTable.AS_OFS),
          e);
    }
    return new AsOfSeries(asOfs);
  }

  /** The same as-ofs and one more. */
  public AsOfSeries plus(Instant asOf) {
    NavigableSet<Instant> more = new TreeSet<>(asOfs);
    more.add(micros(asOf));
    return new AsOfSeries(more);
  }

  /** The same as-ofs but one. */
  public AsOfSeries minus(Instant asOf) {
    NavigableSet<Instant> less = new TreeSet<>(asOfs);
    less.remove(micros(asOf));
    return new AsOfSeries(less);
  }

  public boolean contains(Instant asOf) {
    return asOfs.contains(micros(asOf));
  }

  /** The newest as-of before a moment. */
  public Optional<Instant> before(Instant moment) {
    return Optional.ofNullable(asOfs.lower(micros(moment)));
  }

  /** The oldest as-of after a moment. */
  public Optional<Instant> after(Instant moment) {
    return Optional.ofNullable(asOfs.higher(micros(moment)));
  }

  /** All of them, ascending, in microseconds since 1970. */
  public long[] micros() {
    return asOfs.stream().mapToLong(Values::micros).toArray();
  }

  public Optional<Instant> newest() {
    return asOfs.isEmpty() ? Optional.empty() : Optional.of(asOfs.last());
  }

  /** The newest few, the newest first. */
  public List<Instant> newest(int most) {
    return asOfs.descendingSet().stream().limit(most).toList();
  }

  /** The as-of whose rows are the newest at a moment. */
  public Optional<Instant> newestAt(Instant moment) {
    return Optional.ofNullable(asOfs.floor(micros(moment)));
  }

  @Override
  public String toString() {
    List<Instant> all = List.copyOf(asOfs);
    List<String> runs = new ArrayList<>();
    int first = 0;
    while (first < all.size()) {
      int last = first;
      Duration step =
          first + 1 < all.size()
              ? Duration.between(all.get(first), all.get(first + 1))
              : Duration.ZERO;
      while (last + 1 < all.size() && all.get(last).plus(step).equals(all.get(last + 1))) {
        last++;
      }
      runs.add(
          last == first
              ? all.get(first).toString()
              : "%s/%s/%d".formatted(all.get(first), step, last - first + 1));
      first = last + 1;
    }
    return String.join(",", runs);
  }

  /** Cuts an as-of to microseconds, since the timestamps of its rows have no finer parts. */
  private static Instant micros(Instant instant) {
    return Values.instant(Values.micros(instant));
  }
}
