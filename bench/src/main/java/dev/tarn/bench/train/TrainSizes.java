package dev.tarn.bench.train;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.UsageException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The sizes of a benchmark of training reads.
 *
 * @param rows of the spine
 * @param entities in each as-of
 * @param features of each view
 * @param hot rows of the one entity that is measured by itself; 0 for no such measurement
 * @param asOfs lengths of history, ascending
 * @param wideAsOfs those of them at which all views are joined, too
 */
record TrainSizes(
    long rows,
    long entities,
    int features,
    long hot,
    List<Integer> asOfs,
    List<Integer> wideAsOfs) {

  /** Views that are joined at once, at the most. */
  static final int VIEWS = 4;

  /** Reads the sizes that were typed. */
  static TrainSizes of(CommandLine line) {
    List<Integer> asOfs = asOfs(line, "as-ofs", List.of("5", "20", "100"));
    List<Integer> wideAsOfs =
        asOfs(line, "wide", asOfs.stream().filter(n -> n <= 20).map(String::valueOf).toList());
    if (!asOfs.containsAll(wideAsOfs)) {
      throw new UsageException("wide=%s: take some of as-ofs=%s".formatted(wideAsOfs, asOfs));
    }
    return new TrainSizes(
        line.number("rows", 1_000, 2_000_000),
        line.number("entities", 100, 1_000_000),
        (int) line.number("features", 1, 5),
        line.number("hot", 0, 1_000_000),
        asOfs,
        wideAsOfs);
  }

  /** Lists the numbers of views that are joined at a length of history. */
  List<Integer> views(int count) {
    return wideAsOfs.contains(count) ? List.of(1, VIEWS) : List.of(1);
  }

  /** Names the features of a view. */
  List<String> names(String view) {
    return IntStream.range(0, features).mapToObj(f -> view + "_f" + f).toList();
  }

  private static List<Integer> asOfs(CommandLine line, String name, List<String> otherwise) {
    List<String> given = line.has(name) ? line.list(name) : otherwise;
    try {
      return given.stream().map(Integer::parseInt).filter(n -> n > 0).sorted().toList();
    } catch (NumberFormatException e) {
      throw new UsageException("%1$s=%2$s: write %1$s=5,20".formatted(name, given), e);
    }
  }
}
