package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;

/**
 * Compares the values of one type, writes them into states and reads them. Values are equal exactly
 * if their bytes are. Immutable.
 */
public final class ValueCodec {

  /** Most digits of a decimal whose unscaled value is a long. */
  private static final int MAX_SHORT_DECIMAL = 18;

  private static final int MAX_PRECISION = 38;

  /** Bytes of the greatest decimal of 38 digits. */
  private static final int MAX_DECIMAL_BYTES = 16;

  /** Double is an object that has an identity; this one is kept for all that are NaN. */
  private static final Double NAN = Double.NaN;

  private enum Form {
    BOOLEAN,
    INT,
    LONG,
    FLOAT,
    DOUBLE,
    SHORT_DECIMAL,
    DECIMAL,
    BYTES
  }

  private final Form form;
  private final int scale;

  private ValueCodec(Form form, int scale) {
    this.form = form;
    this.scale = scale;
  }

  /** The codec of a type. */
  public static ValueCodec of(FeatureType type) {
    Form form =
        switch (type.getKind()) {
          case KIND_BOOLEAN -> Form.BOOLEAN;
          case KIND_INT, KIND_DATE -> Form.INT;
          case KIND_BIGINT, KIND_TIMESTAMP, KIND_TIMESTAMP_NTZ -> Form.LONG;
          case KIND_FLOAT -> Form.FLOAT;
          case KIND_DOUBLE -> Form.DOUBLE;
          case KIND_DECIMAL ->
              type.getPrecision() <= MAX_SHORT_DECIMAL ? Form.SHORT_DECIMAL : Form.DECIMAL;
          case KIND_STRING, KIND_BINARY, KIND_ARRAY, KIND_STRUCT -> Form.BYTES;
          default -> throw new IllegalArgumentException("unknown type " + type.getKind());
        };
    return new ValueCodec(form, type.getScale());
  }

  /** The value that is kept of a value: one NaN for all. */
  public Object kept(Object value) {
    return switch (form) {
      case FLOAT, DOUBLE -> ((Double) value).isNaN() ? NAN : value;
      case SHORT_DECIMAL, DECIMAL -> {
        checkScale((BigDecimal) value);
        yield value;
      }
      default -> value;
    };
  }

  int compare(Object one, Object other) {
    return switch (form) {
      case BOOLEAN -> Boolean.compare((Boolean) one, (Boolean) other);
      case INT, LONG -> Long.compare((Long) one, (Long) other);
      case FLOAT, DOUBLE -> Double.compare((Double) one, (Double) other);
      case SHORT_DECIMAL, DECIMAL -> ((BigDecimal) one).compareTo((BigDecimal) other);
      case BYTES -> Arrays.compareUnsigned((byte[]) one, (byte[]) other);
    };
  }

  /** Writes a value, which is not null. */
  public void write(Object value, StateWriter out) {
    switch (form) {
      case BOOLEAN -> out.putByte((Boolean) value ? 1 : 0);
      case INT, LONG -> out.putZigzag((Long) value);
      case FLOAT -> out.putFixed32(Float.floatToIntBits(((Double) value).floatValue()));
      case DOUBLE -> out.putFixed64(Double.doubleToLongBits((Double) value));
      case SHORT_DECIMAL -> out.putZigzag(unscaled((BigDecimal) value));
      case DECIMAL -> out.putBytes(unscaledInteger((BigDecimal) value).toByteArray());
      case BYTES -> out.putBytes((byte[]) value);
    }
  }

  /**
   * Reads a value.
   *
   * @throws CorruptStateException if there is none
   */
  public Object read(StateReader in) {
    return switch (form) {
      case BOOLEAN -> in.readFlag();
      case INT -> {
        long value = in.readZigzag();
        check(value == (int) value);
        yield value;
      }
      case LONG -> in.readZigzag();
      case FLOAT -> {
        int bits = in.readFixed32();
        float value = Float.intBitsToFloat(bits);
        check(Float.floatToIntBits(value) == bits);
        yield (double) value;
      }
      case DOUBLE -> {
        long bits = in.readFixed64();
        double value = Double.longBitsToDouble(bits);
        check(Double.doubleToLongBits(value) == bits);
        yield value;
      }
      case SHORT_DECIMAL -> {
        BigDecimal value = BigDecimal.valueOf(in.readZigzag(), scale);
        check(value.precision() <= MAX_SHORT_DECIMAL);
        yield value;
      }
      case DECIMAL -> {
        BigDecimal value = new BigDecimal(new BigInteger(in.readInteger(MAX_DECIMAL_BYTES)), scale);
        check(value.precision() <= MAX_PRECISION);
        yield value;
      }
      case BYTES -> in.readBytes();
    };
  }

  /** The unscaled value of a decimal of at most 18 digits. */
  long unscaled(BigDecimal value) {
    checkScale(value);
    // unscaledValue() would make a BigInteger.
    return value.scaleByPowerOfTen(scale).longValue();
  }

  /** The unscaled value of a decimal. */
  BigInteger unscaledInteger(BigDecimal value) {
    checkScale(value);
    return value.unscaledValue();
  }

  /** Whether a decimal's unscaled value is a long, so that {@link #unscaled} may be asked. */
  boolean isShort(BigDecimal value) {
    return form == Form.SHORT_DECIMAL || value.precision() <= MAX_SHORT_DECIMAL;
  }

  /** Whether a hash of a value has 64 bits, and no two values have the same. */
  boolean isNarrow() {
    return form != Form.DECIMAL && form != Form.BYTES;
  }

  /** A narrow value as the long that it is told apart by: 0.0 and -0.0 have the same. */
  long identity(Object value) {
    return switch (form) {
      case BOOLEAN -> (Boolean) value ? 1 : 0;
      case INT, LONG -> (Long) value;
      case FLOAT, DOUBLE -> {
        double number = (Double) value;
        yield number == 0 ? 0 : Double.doubleToLongBits(number);
      }
      case SHORT_DECIMAL -> unscaled((BigDecimal) value);
      case DECIMAL, BYTES -> throw new IllegalStateException("wide values have bytes");
    };
  }

  /** The bytes that a wide value is told apart by. */
  byte[] identityBytes(Object value) {
    return form == Form.BYTES ? (byte[]) value : unscaledInteger((BigDecimal) value).toByteArray();
  }

  private void checkScale(BigDecimal value) {
    if (value.scale() != scale) {
      throw new IllegalArgumentException(
          "%s has not the %d digits after the point that its type has".formatted(value, scale));
    }
  }

  private static void check(boolean fits) {
    if (!fits) {
      throw new CorruptStateException("the state has a value that does not fit into its type");
    }
  }
}
