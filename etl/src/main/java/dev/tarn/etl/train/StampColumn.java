package dev.tarn.etl.train;

import dev.tarn.cli.UsageException;
import dev.tarn.live.StampText;
import dev.tarn.manifest.BatchStamp;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import java.util.Optional;
import java.util.function.Function;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/** Reads what the stamps in a column say: bytes, or base64url or hex text of them. */
final class StampColumn {

  private StampColumn() {}

  /** The moment of each answer, microseconds since 1970; null where there is no stamp. */
  static Column micros(Column stamp) {
    return apply(stamp, DataTypes.LongType, read -> Optional.of(read.getMicros()));
  }

  /** The snapshot of a view that is not live; null where the stamp has none. */
  static Column snapshotId(Column stamp, String view) {
    return apply(
        stamp,
        DataTypes.LongType,
        read ->
            read.getBatchList().stream()
                .filter(batch -> batch.getFeatureView().equals(view))
                .findFirst()
                .map(BatchStamp::getSnapshotId));
  }

  /** The generation of a live view; null where the stamp has none. */
  static Column generation(Column stamp, String view) {
    return apply(
        stamp, DataTypes.StringType, read -> live(read, view).map(LiveStamp::getGeneration));
  }

  /** The cut of a live view: the offsets of the partitions 0, 1, …; null where there is none. */
  static Column cut(Column stamp, String view) {
    return apply(
        stamp,
        DataTypes.createArrayType(DataTypes.LongType),
        read ->
            live(read, view)
                .map(live -> live.getOffsetsList().stream().mapToLong(Long::longValue).toArray()));
  }

  private static Optional<LiveStamp> live(Stamp stamp, String view) {
    return stamp.getLiveList().stream()
        .filter(live -> live.getFeatureView().equals(view))
        .findFirst();
  }

  /** A part of a stamp. It is serializable, as Spark wants. */
  private interface Part<T> extends Function<Stamp, Optional<T>>, java.io.Serializable {}

  private static <T> Column apply(Column stamp, DataType type, Part<T> part) {
    UDF1<Object, T> udf = value -> read(value).flatMap(part).orElse(null);
    return functions.udf(udf, type).apply(stamp);
  }

  private static Optional<Stamp> read(Object value) {
    if (value instanceof byte[] bytes) {
      return StampText.read(bytes);
    }
    try {
      return value == null ? Optional.empty() : Optional.of(StampText.parse((String) value));
    } catch (UsageException e) {
      return Optional.empty();
    }
  }
}
