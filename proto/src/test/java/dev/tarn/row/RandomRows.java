package dev.tarn.row;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StructField;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * Random types of all kinds, and rows of them: ordinary values, the ends of their ranges, nulls.
 */
public final class RandomRows {

  private static final List<Kind> PLAIN =
      List.of(
          Kind.KIND_BOOLEAN,
          Kind.KIND_INT,
          Kind.KIND_BIGINT,
          Kind.KIND_FLOAT,
          Kind.KIND_DOUBLE,
          Kind.KIND_DECIMAL,
          Kind.KIND_STRING,
          Kind.KIND_BINARY,
          Kind.KIND_DATE,
          Kind.KIND_TIMESTAMP,
          Kind.KIND_TIMESTAMP_NTZ);

  private static final long[] LONGS = {
    0, 1, -1, 1L << 53, -(1L << 53), (1L << 53) + 1, Long.MAX_VALUE, Long.MIN_VALUE
  };

  private final Random random;

  /** Whether the row has a long array or text: one is enough, as they may be nested. */
  private boolean hasLong;

  public RandomRows(Random random) {
    this.random = random;
  }

  public List<FeatureType> types(int count) {
    List<FeatureType> types = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      types.add(type(3));
    }
    return types;
  }

  /** A row whose values have these types. */
  public byte[] row(long asOfMicros, long eventMicros, List<FeatureType> types) {
    hasLong = false;
    RowWriter writer = new RowWriter();
    writer.start(asOfMicros, eventMicros);
    putAll(writer, types);
    return writer.toBytes();
  }

  /** The row with one to three of its bits turned over, or cut off, or longer than it was. */
  public byte[] damaged(byte[] row) {
    if (random.nextInt(4) == 0) {
      return Arrays.copyOf(row, random.nextInt(row.length + 3));
    }
    byte[] damaged = row.clone();
    for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
      damaged[random.nextInt(row.length)] ^= (byte) (1 << random.nextInt(8));
    }
    return damaged;
  }

  private FeatureType type(int depth) {
    FeatureType.Builder type = FeatureType.newBuilder();
    int die = random.nextInt(depth == 0 ? 8 : 10);
    if (die == 8) {
      return type.setKind(Kind.KIND_ARRAY).setElement(type(depth - 1)).build();
    }
    if (die == 9) {
      type.setKind(Kind.KIND_STRUCT);
      for (int i = random.nextInt(4); i > 0; i--) {
        type.addFields(
            StructField.newBuilder()
                .setName("f" + random.nextInt(6) + "é".repeat(random.nextInt(3)))
                .setType(type(depth - 1)));
      }
      return type.build();
    }
    Kind kind = PLAIN.get(random.nextInt(PLAIN.size()));
    if (kind == Kind.KIND_DECIMAL) {
      int precision = 1 + random.nextInt(38);
      type.setPrecision(precision).setScale(random.nextInt(precision + 1));
    }
    return type.setKind(kind).build();
  }

  private void putAll(RowWriter writer, List<FeatureType> types) {
    int nulls = writer.putNulls(types.size());
    for (int i = 0; i < types.size(); i++) {
      if (random.nextInt(5) == 0) {
        writer.setNull(nulls, i);
      } else {
        put(writer, types.get(i));
      }
    }
  }

  private void put(RowWriter writer, FeatureType type) {
    switch (type.getKind()) {
      case KIND_BOOLEAN -> writer.putBoolean(random.nextBoolean());
      case KIND_INT, KIND_DATE -> putInt(writer, (int) anyLong());
      case KIND_FLOAT -> writer.putFloat(Float.intBitsToFloat(random.nextInt()));
      case KIND_DOUBLE -> writer.putDouble(Double.longBitsToDouble(random.nextLong()));
      case KIND_DECIMAL -> {
        // A quarter of the digits may be missing, and with them all that is before the point.
        int digits = Math.max(1, type.getPrecision() - random.nextInt(10));
        BigInteger unscaled = new BigInteger(digits * 4, random).mod(BigInteger.TEN.pow(digits));
        writer.putDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), type.getPrecision());
      }
      case KIND_STRING -> writer.putBytes(text());
      case KIND_BINARY -> {
        byte[] bytes = new byte[random.nextInt(200)];
        random.nextBytes(bytes);
        writer.putBytes(bytes);
      }
      case KIND_ARRAY -> {
        int length = isLong() ? 300 : random.nextInt(4);
        writer.putLength(length);
        putAll(writer, Collections.nCopies(length, type.getElement()));
      }
      case KIND_STRUCT ->
          putAll(writer, type.getFieldsList().stream().map(StructField::getType).toList());
      default -> writer.putLong(anyLong());
    }
  }

  private boolean isLong() {
    if (hasLong || random.nextInt(20) > 0) {
      return false;
    }
    hasLong = true;
    return true;
  }

  private static void putInt(RowWriter writer, int value) {
    writer.putLong(value);
  }

  private long anyLong() {
    return random.nextInt(4) == 0
        ? LONGS[random.nextInt(LONGS.length)]
        : random.nextLong() >> random.nextInt(64);
  }

  private byte[] text() {
    if (random.nextInt(20) == 0) {
      byte[] anything = new byte[random.nextInt(10)];
      random.nextBytes(anything);
      return anything;
    }
    int length = isLong() ? 3_000 : random.nextInt(50);
    return "aé😀".repeat(length).getBytes(StandardCharsets.UTF_8);
  }
}
