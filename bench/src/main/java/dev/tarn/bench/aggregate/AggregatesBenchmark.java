package dev.tarn.bench.aggregate;

import dev.tarn.aggregate.Aggregate;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Measures aggregates: the time for each event and each merge and, with {@code -prof gc}, the bytes
 * allocated. {@link StateBytes} has the bytes of states.
 *
 * <pre>
 * mvn -q -pl proto,etl,bench package -DskipTests
 * java -cp bench/target/tarn-bench.jar:$(cat bench/target/classpath.txt) \
 *   org.openjdk.jmh.Main AggregatesBenchmark -prof gc
 * </pre>
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class AggregatesBenchmark {

  private static final int COUNT = 100;

  @Param public Measured measured;

  private Aggregate aggregate;
  private Object[] values;
  private dev.tarn.aggregate.State full;
  private dev.tarn.aggregate.State[] cells;
  private byte[] bytes;

  @Setup
  public void prepare() {
    aggregate = measured.aggregate();
    values = measured.values(COUNT);
    full = Measured.state(aggregate, values);
    bytes = full.toBytes();
    cells = new dev.tarn.aggregate.State[COUNT];
    for (int i = 0; i < COUNT; i++) {
      cells[i] = aggregate.newState();
      cells[i].add(values[i], Measured.START + i * Measured.SECOND, 0, i);
    }
  }

  /** Makes a state of one event, as most cells are. */
  @Benchmark
  public dev.tarn.aggregate.State one() {
    dev.tarn.aggregate.State state = aggregate.newState();
    state.add(values[0], Measured.START, 0, 0);
    return state;
  }

  /** Adds an event to a state of up to 100. */
  @Benchmark
  @OperationsPerInvocation(COUNT)
  public dev.tarn.aggregate.State add() {
    return Measured.state(aggregate, values);
  }

  /** Merges a state of one event into one of up to 100. */
  @Benchmark
  @OperationsPerInvocation(COUNT)
  public dev.tarn.aggregate.State merge() {
    dev.tarn.aggregate.State state = aggregate.newState();
    for (dev.tarn.aggregate.State cell : cells) {
      state.merge(cell);
    }
    return state;
  }

  /** Makes the result of 100 events. */
  @Benchmark
  public Object result() {
    return full.result(Measured.START + COUNT * Measured.SECOND);
  }

  /** Writes the state of 100 events. */
  @Benchmark
  public byte[] write() {
    return full.toBytes();
  }

  /** Reads the state of 100 events. */
  @Benchmark
  public dev.tarn.aggregate.State read() {
    return aggregate.read(bytes);
  }
}
