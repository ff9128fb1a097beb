package dev.tarn.bench.aggregate;

import dev.tarn.aggregate.Aggregate;
import java.util.Locale;

/**
 * Prints how many bytes states have, as lines of a Markdown table.
 *
 * <pre>
 * java -cp bench/target/tarn-bench.jar:$(cat bench/target/classpath.txt) \
 *   dev.tarn.bench.aggregate.StateBytes
 * </pre>
 */
public final class StateBytes {

  private static final int[] COUNTS = {1, 100, 10_000};

  private StateBytes() {}

  public static void main(String[] args) {
    for (Measured measured : Measured.values()) {
      Aggregate aggregate = measured.aggregate();
      StringBuilder line = new StringBuilder("| " + aggregate);
      for (int count : COUNTS) {
        int bytes = Measured.state(aggregate, measured.values(count)).toBytes().length;
        line.append(String.format(Locale.ROOT, " | %,d", bytes));
      }
      System.out.println(line.append(" |"));
    }
  }
}
