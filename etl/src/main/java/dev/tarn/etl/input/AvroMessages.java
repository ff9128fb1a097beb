package dev.tarn.etl.input;

import com.google.common.base.Utf8;
import dev.tarn.etl.definition.AvroColumns;
import dev.tarn.etl.definition.Epoch;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayBasedMapData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads messages in Avro's binary encoding. Each byte must be what the schema says, up to the last
 * one: bytes of another schema would else be read as some other values.
 */
final class AvroMessages extends MessageReader {

  private static final int LONGEST_VARINT = 63;
  private static final int REGISTRY_HEADER = 5;

  /** 0001-01-01 and 9999-12-31, in days since 1970. */
  private static final int FIRST_DAY = TextMoments.days("0001-01-01");

  private static final int LAST_DAY = TextMoments.days("9999-12-31");

  /** Reads the value that begins at the next byte. */
  @FunctionalInterface
  private interface ValueReader {
    Object read();
  }

  private final ValueReader root;
  private final List<Integer> schemaIds;
  private final Epoch epoch;

  /** Passes over records, by name: a record may have itself within it. */
  private final Map<String, ValueReader> skips = new HashMap<>();

  private ByteBuffer in = ByteBuffer.allocate(0);

  AvroMessages(MessageFormat format) {
    super(format);
    schemaIds = format.schemaIds();
    epoch = format.formats().hasEpoch() ? format.formats().epoch() : null;
    root = record("", new Schema.Parser().parse(format.avroSchema()), format.schema());
  }

  @Override
  GenericInternalRow readValue(byte[] value) {
    in = ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN);
    if (!schemaIds.isEmpty()) {
      readHeader();
    }
    try {
      GenericInternalRow row = (GenericInternalRow) root.read();
      if (in.hasRemaining()) {
        throw new NoValueException("has %d bytes after its last field".formatted(in.remaining()));
      }
      return row;
    } catch (NoValueException e) {
      String hint =
          schemaIds.isEmpty() && value.length > REGISTRY_HEADER && value[0] == 0
              ? "; it begins with 0, as with the id of a schema registry: then say options { schema-id = %d }"
                  .formatted(ByteBuffer.wrap(value).getInt(1))
              : "";
      throw new InputException("is not of the Avro schema: it " + e.getMessage() + hint, e);
    }
  }

  private void readHeader() {
    boolean hasHeader = in.remaining() >= REGISTRY_HEADER && in.get() == 0;
    int id = hasHeader ? Integer.reverseBytes(in.getInt()) : 0;
    if (!hasHeader || !schemaIds.contains(id)) {
      throw new InputException(
          hasHeader
              ? "has the schema id %d, and the source says %s".formatted(id, schemaIds)
              : "has no schema id");
    }
  }

  private ValueReader record(String prefix, Schema schema, StructType struct) {
    List<Schema.Field> fields = schema.getFields();
    ValueReader[] readers = new ValueReader[fields.size()];
    int[] targets = new int[fields.size()];
    List<String> names = Arrays.asList(struct.fieldNames());
    for (int i = 0; i < readers.length; i++) {
      Schema.Field field = fields.get(i);
      targets[i] = names.indexOf(field.name());
      StructField column = targets[i] < 0 ? null : struct.fields()[targets[i]];
      readers[i] =
          column == null
              ? skip(field.schema())
              : value(prefix + field.name(), field.schema(), column.dataType());
    }
    return () -> {
      Object[] values = new Object[struct.length()];
      for (int i = 0; i < readers.length; i++) {
        Object value = readers[i].read();
        if (targets[i] >= 0) {
          values[targets[i]] = value;
        }
      }
      return new GenericInternalRow(values);
    };
  }

  /** Reads a value that may be null. */
  private ValueReader value(String path, Schema given, DataType type) {
    Schema schema = AvroColumns.withoutNull(given).orElseThrow();
    ValueReader reader = present(path, schema, type);
    if (!given.isUnion()) {
      return reader;
    }
    List<Schema> branches = given.getTypes();
    return () -> branches.get(index(branches.size(), path)).equals(schema) ? reader.read() : null;
  }

  private ValueReader present(String path, Schema schema, DataType type) {
    LogicalType logical = schema.getLogicalType();
    return switch (schema.getType()) {
      case BOOLEAN -> () -> bool(path);
      case INT -> type.equals(DataTypes.DateType) ? () -> day(path) : () -> integer(path);
      case LONG -> number(path, logical, type);
      case FLOAT -> () -> need(Float.BYTES, path).getFloat();
      case DOUBLE -> () -> need(Double.BYTES, path).getDouble();
      case STRING -> () -> string(path);
      case ENUM -> symbol(path, schema.getEnumSymbols());
      case BYTES -> bytes(path, type, () -> length(path));
      case FIXED -> bytes(path, type, schema::getFixedSize);
      case ARRAY -> array(path, schema, ((ArrayType) type).elementType());
      case MAP -> map(path, schema, ((MapType) type).valueType());
      case RECORD -> record(path + ".", schema, (StructType) type);
      case NULL, UNION -> throw new IllegalStateException(path); // AvroColumns refuses it
    };
  }

  private ValueReader number(String path, LogicalType logical, DataType type) {
    if (type.equals(DataTypes.LongType)) {
      return () -> varint(path);
    }
    long micros =
        logical instanceof LogicalTypes.TimestampMillis
                || logical instanceof LogicalTypes.LocalTimestampMillis
            ? 1_000
            : 1;
    if (logical != null || epoch == null) {
      return () -> moment(path, varint(path), micros);
    }
    long unit = epoch.micros(BigDecimal.ONE).longValueExact();
    return () -> moment(path, varint(path), unit);
  }

  private static long moment(String path, long number, long unit) {
    try {
      return TextMoments.inRange(Math.multiplyExact(number, unit));
    } catch (ArithmeticException | NoValueException e) {
      throw new NoValueException(
          "has the number %d for '%s', which is outside the years 0001 to 9999"
              .formatted(number, path));
    }
  }

  private int day(String path) {
    int day = integer(path);
    if (day < FIRST_DAY || day > LAST_DAY) {
      throw new NoValueException(
          "has the number %d for '%s', which is outside the years 0001 to 9999"
              .formatted(day, path));
    }
    return day;
  }

  private ValueReader symbol(String path, List<String> symbols) {
    List<UTF8String> texts = symbols.stream().map(UTF8String::fromString).toList();
    return () -> texts.get(index(texts.size(), path));
  }

  @FunctionalInterface
  private interface Length {
    int get();
  }

  private ValueReader bytes(String path, DataType type, Length length) {
    if (!(type instanceof DecimalType decimal)) {
      return () -> take(length.get(), path);
    }
    return () -> {
      byte[] unscaled = take(length.get(), path);
      BigDecimal number =
          unscaled.length == 0 ? null : new BigDecimal(new BigInteger(unscaled), decimal.scale());
      if (number == null || number.precision() > decimal.precision()) {
        throw new NoValueException(
            "has %s for '%s', which is no %s"
                .formatted(number == null ? "nothing" : number, path, decimal.simpleString()));
      }
      return Decimal.apply(number, decimal.precision(), decimal.scale());
    };
  }

  private ValueReader array(String path, Schema schema, DataType elementType) {
    ValueReader element = value(path + "[]", schema.getElementType(), elementType);
    return () -> {
      List<Object> values = new ArrayList<>();
      for (long count = block(path); count > 0; count = block(path)) {
        for (long i = 0; i < count; i++) {
          values.add(element.read());
        }
      }
      return new GenericArrayData(values.toArray());
    };
  }

  private ValueReader map(String path, Schema schema, DataType valueType) {
    ValueReader value = value(path + "{}", schema.getValueType(), valueType);
    return () -> {
      Map<UTF8String, Object> values = new LinkedHashMap<>();
      for (long count = block(path); count > 0; count = block(path)) {
        for (long i = 0; i < count; i++) {
          UTF8String key = string(path);
          if (values.containsKey(key)) {
            throw new NoValueException("has the key '%s' twice in '%s'".formatted(key, path));
          }
          values.put(key, value.read());
        }
      }
      return new ArrayBasedMapData(
          new GenericArrayData(values.keySet().toArray()),
          new GenericArrayData(values.values().toArray()));
    };
  }

  /** Passes over a value of any type, also of those that no column can have. */
  private ValueReader skip(Schema schema) {
    String name = schema.getName();
    return switch (schema.getType()) {
      case NULL -> () -> null;
      case BOOLEAN -> () -> bool(name);
      case INT, ENUM -> () -> integer(name);
      case LONG -> () -> varint(name);
      case FLOAT -> () -> take(Float.BYTES, name);
      case DOUBLE -> () -> take(Double.BYTES, name);
      case STRING, BYTES -> () -> take(length(name), name);
      case FIXED -> () -> take(schema.getFixedSize(), name);
      case ARRAY -> skipBlocks(skip(schema.getElementType()), () -> null);
      case MAP -> skipBlocks(skip(schema.getValueType()), () -> take(length(name), name));
      case UNION -> {
        List<ValueReader> branches = schema.getTypes().stream().map(this::skip).toList();
        yield () -> branches.get(index(branches.size(), name)).read();
      }
      case RECORD -> skipRecord(schema);
    };
  }

  private ValueReader skipRecord(Schema schema) {
    String name = schema.getFullName();
    if (!skips.containsKey(name)) {
      // Found again by those within it, while it is not whole.
      skips.put(name, () -> null);
      List<ValueReader> fields = schema.getFields().stream().map(f -> skip(f.schema())).toList();
      skips.put(
          name,
          () -> {
            fields.forEach(ValueReader::read);
            return null;
          });
    }
    return () -> skips.get(name).read();
  }

  private ValueReader skipBlocks(ValueReader element, ValueReader key) {
    return () -> {
      for (long count = block(""); count > 0; count = block("")) {
        for (long i = 0; i < count; i++) {
          key.read();
          element.read();
        }
      }
      return null;
    };
  }

  /** The number of elements in the next block; 0: there is none. */
  private long block(String path) {
    long count = varint(path);
    if (count < 0) {
      count = -count;
      varint(path); // the block's bytes
    }
    // Each element has a byte at least, so what has more is no array, and would take all memory.
    if (count < 0 || count > in.remaining()) {
      throw ended(path);
    }
    return count;
  }

  private boolean bool(String path) {
    byte value = need(1, path).get();
    if (value != 0 && value != 1) {
      throw new NoValueException("has the byte %d for '%s'".formatted(value, path));
    }
    return value == 1;
  }

  private int index(int size, String path) {
    int index = integer(path);
    if (index < 0 || index >= size) {
      throw new NoValueException("has a branch or symbol %d for '%s'".formatted(index, path));
    }
    return index;
  }

  private int integer(String path) {
    long value = varint(path);
    if (value != (int) value) {
      throw new NoValueException("has the number %d for '%s', an int".formatted(value, path));
    }
    return (int) value;
  }

  private long varint(String path) {
    long bits = 0;
    for (int shift = 0; shift <= LONGEST_VARINT; shift += 7) {
      byte next = need(1, path).get();
      bits |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return (bits >>> 1) ^ -(bits & 1);
      }
    }
    throw new NoValueException("has no number where '%s' should be".formatted(path));
  }

  private int length(String path) {
    long length = varint(path);
    if (length < 0 || length > in.remaining()) {
      throw ended(path);
    }
    return (int) length;
  }

  private UTF8String string(String path) {
    byte[] text = take(length(path), path);
    if (!Utf8.isWellFormed(text)) {
      throw new NoValueException("has a text for '%s' that is not UTF-8".formatted(path));
    }
    return UTF8String.fromBytes(text);
  }

  private byte[] take(int length, String path) {
    need(length, path);
    byte[] bytes = new byte[length];
    in.get(bytes);
    return bytes;
  }

  private ByteBuffer need(int bytes, String path) {
    if (in.remaining() < bytes) {
      throw ended(path);
    }
    return in;
  }

  private static NoValueException ended(String path) {
    return new NoValueException(
        path.isEmpty() ? "ends too soon" : "ends within '%s'".formatted(path));
  }
}
