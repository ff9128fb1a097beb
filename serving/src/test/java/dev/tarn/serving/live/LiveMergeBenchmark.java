package dev.tarn.serving.live;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.layer.Layer;
import dev.tarn.live.Cut;
import dev.tarn.live.EntityCells;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Token;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveWindow;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.Release;
import dev.tarn.row.RowWriter;
import dev.tarn.serving.world.ReleasedView;
import java.time.Instant;
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
 * Measures the merge of one entity's base and live cells: a count and a sum in each of five
 * windows, of events a minute apart, of which the base has two thirds.
 *
 * <pre>
 * mvn -q -pl proto,serving test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
 * java -cp serving/target/test-classes:serving/target/classes:$(cat serving/target/classpath) \
 *   org.openjdk.jmh.Main LiveMergeBenchmark -prof gc
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class LiveMergeBenchmark {

  private static final long SECOND = 1_000_000;
  private static final long NOW = 1_800_000_000L * SECOND;
  private static final long SEGMENT = 4096;

  /** The lengths of the windows and of their cells, in seconds. */
  private static final long[][] WINDOWS = {
    {60, 1}, {3_600, 60}, {86_400, 600}, {604_800, 3_600}, {2_592_000, 3_600}
  };

  @Param({"3", "30", "300"})
  public int events;

  private ReleasedView view;
  private Layer baseLayer;
  private byte[] base;
  private byte[] live;

  @Setup
  public void prepare() {
    LiveBase.Builder definition =
        LiveBase.newBuilder()
            .setGeneration("g")
            .setSegment(SEGMENT)
            .setLiveBuckets(1)
            .setMaxLag(Durations.fromSeconds(30))
            .putCut(0, SEGMENT)
            .addValueTypes(FeatureType.newBuilder().setKind(Kind.KIND_DOUBLE));
    for (long[] window : WINDOWS) {
      for (int value = -1; value < 1; value++) {
        Kind kind = value < 0 ? Kind.KIND_BIGINT : Kind.KIND_DOUBLE;
        definition
            .addWindows(
                LiveWindow.newBuilder()
                    .setAggregate(value < 0 ? "COUNT" : "SUM")
                    .setValue(value)
                    .setResolution(Durations.fromSeconds(window[1]))
                    .setCells(window[0] / window[1]))
            .addFeatures(
                StoredFeature.newBuilder()
                    .setName("f" + definition.getFeaturesCount())
                    .setType(FeatureType.newBuilder().setKind(kind)));
      }
    }
    view = released(definition.build());
    baseLayer = view.layers().base();
    LivePlan plan = LivePlan.of(definition.build());
    EntityCells baseCells = EntityCells.base(plan);
    EntityCells liveCells = EntityCells.live(plan);
    for (int i = 0; i < events; i++) {
      long micros = NOW - (events - i) * 60L * SECOND;
      Object[] values = {19.99 + i};
      if (i < events * 2 / 3) {
        baseCells.add(0, i, micros, values);
      } else {
        liveCells.add(0, SEGMENT + i, micros, values);
      }
    }
    baseCells.settle(NOW);
    liveCells.settle(NOW);
    RowWriter row = new RowWriter();
    row.start(NOW, NOW);
    var unused = row.putNulls(1);
    row.putBytes(baseCells.toBytes());
    base = row.toBytes();
    live = Token.entry(liveCells.toBytes());
  }

  private static ReleasedView released(LiveBase base) {
    return new ReleasedView(
        new RedisKeys("bench"),
        VersionRecord.newBuilder()
            .setRowFormat(LivePlan.FORMAT)
            .setFeatureView("spend")
            .setVersion("v1")
            .setEntity("user")
            .setBuckets(1)
            .setAsOf(Timestamps.fromMicros(NOW))
            .addFeatures(
                StoredFeature.newBuilder()
                    .setName("cells")
                    .setType(FeatureType.newBuilder().setKind(Kind.KIND_BINARY)))
            .setLive(base)
            .build(),
        new Release("v1", Instant.EPOCH));
  }

  @Benchmark
  public MergedRow merged() {
    return new LiveMerge(view, view.live().orElseThrow(), Cut.of(SEGMENT + events), NOW)
        .of(base, baseLayer, live);
  }
}
