package dev.tarn.etl.train;

import java.util.Arrays;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/** Finds the last as-of up to a moment. */
final class AsOfFloor implements UDF1<Long, Long> {

  private static final long serialVersionUID = 1L;

  private final long[] asOfs;

  private AsOfFloor(long[] asOfs) {
    this.asOfs = asOfs;
  }

  /**
   * The newest as-of at a moment; null where there is none.
   *
   * @param asOfs ascending, microseconds since 1970
   * @param micros of the same kind
   */
  static Column of(long[] asOfs, Column micros) {
    return functions.udf(new AsOfFloor(asOfs), DataTypes.LongType).apply(micros);
  }

  @Override
  public Long call(Long micros) {
    return of(asOfs, micros);
  }

  static Long of(long[] asOfs, long micros) {
    int at = Arrays.binarySearch(asOfs, micros);
    int floor = at >= 0 ? at : -at - 2;
    // Not a conditional expression, which would unbox its null.
    if (floor < 0) {
      return null;
    }
    return asOfs[floor];
  }
}
