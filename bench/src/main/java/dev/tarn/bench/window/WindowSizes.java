package dev.tarn.bench.window;

import dev.tarn.cli.CommandLine;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * The sizes of a benchmark of windows.
 *
 * @param rows of the spine
 * @param events of all entities, over {@link #DAYS} days
 * @param skew 1: all entities have as many events; 2: the k-th has a share in proportion to 1 ÷ √k
 * @param joinRows rows of the spine that Spark's range join gets
 * @param hot events of the one entity that is measured by itself, and rows of its spine; 0 for no
 *     such measurement
 * @param asOfs daily as-ofs that are built in one run; 0 for no builds
 * @param messages of the topic that is archived; 0 for none
 */
record WindowSizes(
    long rows,
    long events,
    long entities,
    int skew,
    long joinRows,
    long hot,
    int asOfs,
    long messages) {

  /** The view with all windows. */
  static final String FIVE = "five";

  static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");
  static final int DAYS = 60;

  /** Days of the shorter history. */
  static final int SHORT_DAYS = DAYS / 4;

  static final Window HOUR = new Window("1h", Duration.ofHours(1), Duration.ofMinutes(1));
  static final Window MONTH = new Window("30d", Duration.ofDays(30), Duration.ofHours(1));

  /** The windows, the shortest first. */
  static final List<Window> WINDOWS =
      List.of(
          new Window("1m", Duration.ofMinutes(1), Duration.ofSeconds(1)),
          HOUR,
          new Window("1d", Duration.ofDays(1), Duration.ofMinutes(10)),
          new Window("7d", Duration.ofDays(7), Duration.ofHours(1)),
          MONTH);

  /**
   * A window as definitions write it.
   *
   * @param length of all its cells together
   * @param resolution length of a cell
   */
  record Window(String word, Duration length, Duration resolution) {

    /** Names the feature that sums amounts; the features of an entity have different names. */
    String feature(String view) {
      return view + "_" + word;
    }
  }

  /** Reads the sizes that were typed. */
  static WindowSizes of(CommandLine line) {
    long rows = line.number("rows", 100, 1_000_000);
    return new WindowSizes(
        rows,
        line.number("events", 100, 10_000_000),
        line.number("entities", 1, 200_000),
        Math.toIntExact(Math.min(2, line.number("skew", 1, 2))),
        Math.min(rows, line.number("join-rows", 100, rows)),
        line.number("hot", 0, 1_000_000),
        Math.toIntExact(Math.min(DAYS, line.number("as-ofs", 0, 30))),
        line.number("messages", 0, 2_000_000));
  }
}
