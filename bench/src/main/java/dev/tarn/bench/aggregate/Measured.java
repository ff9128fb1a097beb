package dev.tarn.bench.aggregate;

import dev.tarn.aggregate.Aggregate;
import dev.tarn.aggregate.State;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Random;

/** An aggregate that is measured, and values for it: amounts of money, and merchants. */
public enum Measured {
  COUNT(Aggregate.Kind.COUNT, Kind.KIND_BIGINT),
  SUM_BIGINT(Aggregate.Kind.SUM, Kind.KIND_BIGINT),
  SUM_DECIMAL(Aggregate.Kind.SUM, Kind.KIND_DECIMAL),
  SUM_DOUBLE(Aggregate.Kind.SUM, Kind.KIND_DOUBLE),
  AVG_BIGINT(Aggregate.Kind.AVG, Kind.KIND_BIGINT),
  AVG_DECIMAL(Aggregate.Kind.AVG, Kind.KIND_DECIMAL),
  AVG_DOUBLE(Aggregate.Kind.AVG, Kind.KIND_DOUBLE),
  MAX_BIGINT(Aggregate.Kind.MAX, Kind.KIND_BIGINT),
  MAX_DOUBLE(Aggregate.Kind.MAX, Kind.KIND_DOUBLE),
  MAX_STRING(Aggregate.Kind.MAX, Kind.KIND_STRING),
  VARIANCE_DECIMAL(Aggregate.Kind.VARIANCE, Kind.KIND_DECIMAL),
  VARIANCE_DOUBLE(Aggregate.Kind.VARIANCE, Kind.KIND_DOUBLE),
  STDDEV_DOUBLE(Aggregate.Kind.STDDEV, Kind.KIND_DOUBLE),
  LAST_STRING(Aggregate.Kind.LAST, Kind.KIND_STRING),
  LAST_5_STRING(Aggregate.Kind.LAST_N, Kind.KIND_STRING),
  COUNT_DISTINCT_BIGINT(Aggregate.Kind.COUNT_DISTINCT, Kind.KIND_BIGINT),
  COUNT_DISTINCT_STRING(Aggregate.Kind.COUNT_DISTINCT, Kind.KIND_STRING),
  SECONDS_SINCE_LAST(Aggregate.Kind.SECONDS_SINCE_LAST, Kind.KIND_BIGINT);

  /** The time of the first event; each of the others is a second later than the one before. */
  static final long START = 1_790_000_000_000_000L;

  static final long SECOND = 1_000_000;

  private final Aggregate.Kind kind;
  private final Kind type;

  Measured(Aggregate.Kind kind, Kind type) {
    this.kind = kind;
    this.type = type;
  }

  Aggregate aggregate() {
    FeatureType.Builder valueType = FeatureType.newBuilder().setKind(type);
    if (type == Kind.KIND_DECIMAL) {
      valueType.setPrecision(12).setScale(2);
    }
    return Aggregate.of(kind, Optional.of(valueType.build()), 5);
  }

  /** Values by a fixed seed; of merchants there are as many as values. */
  Object[] values(int count) {
    Random random = new Random(count);
    Object[] values = new Object[count];
    for (int i = 0; i < count; i++) {
      int cents = random.nextInt(20_000);
      values[i] =
          switch (type) {
            case KIND_BIGINT -> (long) random.nextInt(1_000_000);
            case KIND_DECIMAL -> BigDecimal.valueOf(cents, 2);
            case KIND_DOUBLE -> cents / 100.0;
            default -> ("merchant-" + random.nextInt(1_000_000)).getBytes(StandardCharsets.UTF_8);
          };
    }
    return values;
  }

  /** A state of events in their order. */
  static State state(Aggregate aggregate, Object[] values) {
    State state = aggregate.newState();
    for (int i = 0; i < values.length; i++) {
      state.add(values[i], START + i * SECOND, 0, i);
    }
    return state;
  }
}
