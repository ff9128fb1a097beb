package dev.tarn.serving.lookup;

import com.google.protobuf.Value;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.EntriesWriter;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowValues;
import dev.tarn.row.WireBuffer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Setup;

/**
 * Measures decoding a row, and turning the rows of a request into the bytes of its answer, as Tarn
 * does it and with protobuf's objects: the time and, with {@code -prof gc}, the bytes allocated. A
 * row as bytes is ready to be sent; a row as objects has yet to be written.
 *
 * <pre>
 * mvn -q -pl proto,serving test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 * java -cp serving/target/test-classes:serving/target/classes:$(cat serving/target/classpath) \
 *   org.openjdk.jmh.Main AnswersBenchmark -prof gc
 * </pre>
 */
public class AnswersBenchmark extends RowsBenchmark {

  private final Answers answers = new Answers(new CorruptRows());
  private final ObjectAnswers objects = new ObjectAnswers(new CorruptRows());
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
    rows = FetchedRows.of(selection, data.ids(), data.rows(), BenchmarkRows.AS_OF);
    row = data.rows()[0];
  }

  @Benchmark
  public WireBuffer answerAsBytes() {
    return answers.of(
        selection.parts(),
        data.ids(),
        rows,
        Details.NONE,
        Math.toIntExact(selection.parts().expectedBytes(data.ids().size())),
        (has, needs) -> Math.max(2 * has, needs));
  }

  @Benchmark
  public byte[] answerAsObjects() {
    return objects.of(selection, data.ids(), rows, false).toByteArray();
  }

  /** Decodes one row, whatever the number of entities. */
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
    return RowValues.read(reader, data.view().types());
  }
}
