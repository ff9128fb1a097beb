package dev.tarn.serving;

import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.CorruptRowException;
import dev.tarn.row.EntriesWriter;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import dev.tarn.row.WireBuffer;
import dev.tarn.serving.Lookup.AskedId;
import dev.tarn.serving.Selection.Place;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
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

  private static final Instant NOW = Instant.parse("2026-11-21T12:00:00Z");
  private static final long AS_OF = Values.micros(NOW);

  /** Of ten features: what users have most of. */
  private static final List<Kind> KINDS =
      List.of(
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_DOUBLE,
          Kind.KIND_BIGINT,
          Kind.KIND_BIGINT,
          Kind.KIND_BIGINT,
          Kind.KIND_BOOLEAN,
          Kind.KIND_STRING,
          Kind.KIND_TIMESTAMP);

  @Param({"1", "10", "100"})
  public int entities;

  @Param({"10", "50"})
  public int features;

  private final Answers answers = new Answers(InstantSource.fixed(NOW), new CorruptRows());
  private final ObjectAnswers objects =
      new ObjectAnswers(InstantSource.fixed(NOW), new CorruptRows());
  private final List<AskedId> ids = new ArrayList<>();
  private ServedView view;
  private Selection selection;
  private FetchedRows rows;
  private byte[] row;
  private EntriesWriter writer;

  @Setup
  public void prepare() {
    Manifest.Builder manifest =
        Manifest.newBuilder()
            .setRowFormat(RowWriter.FORMAT)
            .setFeatureView("user_activity")
            .setVersion("v1")
            .setEntity("user")
            .setBuckets(1)
            .setAsOf(Timestamps.fromMicros(AS_OF));
    for (int i = 0; i < features; i++) {
      manifest.addFeatures(
          StoredFeature.newBuilder()
              .setName("feature_of_user_%02d".formatted(i))
              .setType(FeatureType.newBuilder().setKind(KINDS.get(i % KINDS.size()))));
    }
    view = new ServedView(new RedisKeys("bench"), manifest.build(), new Release("v1", NOW));
    Map<String, Place> all = new LinkedHashMap<>();
    for (int i = 0; i < features; i++) {
      all.put(view.features().get(i).getName(), new Place(view, i));
    }
    selection = Selection.of(all);
    writer = selection.parts().views().get(0).values();
    Random random = new Random(1);
    byte[][] fetched = new byte[entities][];
    for (int e = 0; e < entities; e++) {
      String id = "user-%07d".formatted(random.nextInt(1_000_000));
      ids.add(new AskedId(id, id.getBytes(StandardCharsets.UTF_8)));
      fetched[e] = randomRow(random);
    }
    row = fetched[0];
    rows = FetchedRows.of(selection, ids, fetched);
  }

  @Benchmark
  public WireBuffer answerAsBytes() {
    return answers.of(selection.parts(), ids, rows, false);
  }

  @Benchmark
  public byte[] answerAsObjects() {
    return objects.of(selection, ids, rows, false).toByteArray();
  }

  /** Of one row, whatever the number of entities. */
  @Benchmark
  public WireBuffer rowAsBytes() throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(AS_OF);
    WireBuffer out = new WireBuffer(64 * features);
    writer.writeRow(reader, out);
    return out;
  }

  @Benchmark
  public Value[] rowAsObjects() throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(AS_OF);
    return reader.readValues(view.types());
  }

  private byte[] randomRow(Random random) {
    RowWriter out = new RowWriter();
    out.start(AS_OF, AS_OF);
    int nulls = out.putNulls(features);
    for (int i = 0; i < features; i++) {
      if (random.nextInt(20) == 0) {
        out.setNull(nulls, i);
        continue;
      }
      switch (KINDS.get(i % KINDS.size())) {
        case KIND_DOUBLE -> out.putDouble(random.nextGaussian());
        case KIND_BOOLEAN -> out.putBoolean(random.nextBoolean());
        case KIND_STRING -> out.putBytes("city-123".getBytes(StandardCharsets.UTF_8));
        case KIND_TIMESTAMP -> out.putLong(AS_OF - random.nextInt());
        default -> out.putLong(random.nextInt(1_000_000));
      }
    }
    return out.toBytes();
  }
}
