package dev.tarn.serving;

import com.google.protobuf.Value;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.EntriesWriter;
import dev.tarn.row.RowReader;
import dev.tarn.row.WireBuffer;
import java.time.InstantSource;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it takes to decode a row, and to turn the rows of a request into the bytes of its answer, as
 * Tarn does it and by protobuf's objects. In time and, with {@code -prof gc}, in bytes allocated. A
 * row as bytes is what is sent; a row as objects has yet to be written.
 *
 * <pre>
 * mvn -q -pl proto,serving test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 * java -cp serving/target/test-classes:serving/target/classes:$(cat serving/target/classpath) \
 *   org.openjdk.jmh.Main AnswersBenchmark -prof gc
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class AnswersBenchmark {

  @Param({"1", "10", "100"})
  public int entities;

  @Param({"10", "50"})
  public int features;

  private final Answers answers =
      new Answers(InstantSource.fixed(BenchmarkRows.NOW), new CorruptRows());
  private final ObjectAnswers objects =
      new ObjectAnswers(InstantSource.fixed(BenchmarkRows.NOW), new CorruptRows());
  private BenchmarkRows data;
  private Selection selection;
  private FetchedRows rows;
  private byte[] row;
  private EntriesWriter writer;

  @Setup
  public void prepare() {
    data = new BenchmarkRows(entities, features);
    selection = data.selection(i -> true);
    writer = selection.parts().views().get(0).values();
    rows = FetchedRows.of(selection, data.ids(), data.rows());
    row = data.rows()[0];
  }

  @Benchmark
  public WireBuffer answerAsBytes() {
    return answers.of(selection.parts(), data.ids(), rows, false);
  }

  @Benchmark
  public byte[] answerAsObjects() {
    return objects.of(selection, data.ids(), rows, false).toByteArray();
  }

  /** Of one row, whatever the number of entities. */
  @Benchmark
  public WireBuffer rowAsBytes() throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(BenchmarkRows.AS_OF);
    WireBuffer out = new WireBuffer(64 * features);
    writer.writeRow(reader, out);
    return out;
  }

  @Benchmark
  public Value[] rowAsObjects() throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(BenchmarkRows.AS_OF);
    return reader.readValues(data.view().types());
  }
}
