package dev.tarn.live;

import dev.tarn.manifest.FeatureType;
import dev.tarn.row.RowWriter;
import java.math.BigDecimal;
import java.util.List;

/** Writes the values of aggregates in the row encoding, so that they are answered as other rows. */
public final class LiveRow {

  private LiveRow() {}

  /** Whether a live view can have features of a type. */
  public static boolean isKnown(FeatureType type) {
    return switch (type.getKind()) {
      case KIND_STRUCT, KIND_UNSPECIFIED, UNRECOGNIZED -> false;
      case KIND_ARRAY ->
          type.getElement().getKind() != FeatureType.Kind.KIND_ARRAY && isKnown(type.getElement());
      default -> true;
    };
  }

  /**
   * Writes the value of a feature.
   *
   * @param value as {@link dev.tarn.aggregate.State#result} gives it, not null
   */
  public static void put(RowWriter row, FeatureType type, Object value) {
    switch (type.getKind()) {
      case KIND_BOOLEAN -> row.putBoolean((Boolean) value);
      case KIND_FLOAT -> row.putFloat(((Double) value).floatValue());
      case KIND_DOUBLE -> row.putDouble((Double) value);
      case KIND_DECIMAL ->
          row.putDecimal(((BigDecimal) value).unscaledValue(), type.getPrecision());
      case KIND_STRING, KIND_BINARY -> row.putBytes((byte[]) value);
      case KIND_ARRAY -> {
        List<?> elements = (List<?>) value;
        row.putLength(elements.size());
        row.putNulls(elements.size());
        elements.forEach(element -> put(row, type.getElement(), element));
      }
      case KIND_INT, KIND_BIGINT, KIND_DATE, KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ ->
          row.putLong((Long) value);
      default -> throw new IllegalArgumentException("no live value is of " + type.getKind());
    }
  }
}
