package dev.tarn.etl.definition;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** The unit of numbers that count time since 1970 in UTC. */
public enum Epoch {
  SECONDS(1_000_000),
  MILLISECONDS(1_000),
  MICROSECONDS(1);

  private final BigDecimal micros;

  Epoch(long micros) {
    this.micros = BigDecimal.valueOf(micros);
  }

  /** The number in whole microseconds; what is less than one is dropped. */
  public BigDecimal micros(BigDecimal number) {
    return number.multiply(micros).setScale(0, RoundingMode.FLOOR);
  }
}
