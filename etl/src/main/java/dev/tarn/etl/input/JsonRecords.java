package dev.tarn.etl.input;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import java.io.Closeable;
import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayBasedMapData;
import org.apache.spark.sql.catalyst.util.GenericArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Reads the records of JSON: objects one after the other, one a line or not, also those of arrays.
 * A field that a record does not have is null. Fields that the schema does not name are passed
 * over, unless they are one of its names in another case.
 */
final class JsonRecords implements Closeable {

  /** The options that JSON has. */
  static final List<String> OPTIONS =
      List.of(
          "encoding",
          "charset",
          TextFormats.TIMESTAMP,
          TextFormats.TIMESTAMP_NTZ,
          TextFormats.DATE,
          TextFormats.LOCALE,
          "allowComments",
          "allowNonNumericNumbers",
          // What is so in any case.
          "mode",
          "multiLine",
          InputFiles.GLOB_FILTER,
          InputFiles.RECURSIVE,
          InputFiles.BASE_PATH,
          InputFiles.MODIFIED_BEFORE,
          InputFiles.MODIFIED_AFTER);

  private final JsonFactory factory;
  private final boolean isFile;
  private final ObjectReader root;

  /** All readers of objects: that of the records, and those within it. */
  private final List<ObjectReader> objects = new ArrayList<>();

  private JsonParser parser;
  private boolean isInArray;
  private long records;
  private long line = 1;

  JsonRecords(Reader reader, StructType schema, TextFormats formats, boolean allowsComments)
      throws IOException {
    this(schema, formats, allowsComments, true);
    parser = factory.createParser(reader);
  }

  /** Reads texts that each have one record, by {@link #only}. */
  JsonRecords(StructType schema, TextFormats formats, boolean allowsComments) {
    this(schema, formats, allowsComments, false);
  }

  private JsonRecords(
      StructType schema, TextFormats formats, boolean allowsComments, boolean isFile) {
    this.isFile = isFile;
    factory =
        new JsonFactoryBuilder()
            .configure(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS, true)
            .configure(JsonReadFeature.ALLOW_JAVA_COMMENTS, allowsComments)
            .configure(StreamReadFeature.AUTO_CLOSE_SOURCE, true)
            .build();
    root = new ObjectReader("", schema, formats);
  }

  /**
   * The next record; null at the end. It is good until the one after it.
   *
   * @throws InputException if it does not fit the schema
   */
  InternalRow next() throws IOException {
    JsonToken token = parser.nextToken();
    if (token == JsonToken.START_ARRAY && !isInArray) {
      isInArray = true;
      token = parser.nextToken();
    }
    while (token == JsonToken.END_ARRAY && isInArray) {
      isInArray = false;
      token = parser.nextToken();
      if (token == JsonToken.START_ARRAY) {
        isInArray = true;
        token = parser.nextToken();
      }
    }
    if (token == null) {
      return null;
    }
    records++;
    line = parser.getTokenLocation().getLineNr();
    if (token != JsonToken.START_OBJECT) {
      throw new InputException("a record must be an object { … }");
    }
    return root.read();
  }

  /**
   * The one record of a text.
   *
   * @throws InputException if there is none or more than one, or it does not fit the schema
   */
  GenericInternalRow only(char[] text, int from, int length) throws IOException {
    try (JsonParser alone = factory.createParser(text, from, length)) {
      parser = alone;
      JsonToken token = parser.nextToken();
      if (token == null) {
        throw new InputException("is empty");
      }
      if (token != JsonToken.START_OBJECT) {
        throw new InputException("must be an object { … }");
      }
      GenericInternalRow row = root.read();
      if (parser.nextToken() != null) {
        throw new InputException("has more after its object: one message is one event");
      }
      return row;
    }
  }

  /** Number of records so far, the last one included. */
  long records() {
    return records;
  }

  /** The line at which the last record begins. */
  long line() {
    return line;
  }

  /** A field that none of the objects so far had that could have it, e.g. {@code address.city}. */
  Optional<String> unseenField() {
    return objects.stream().flatMap(object -> object.unseenField().stream()).findFirst();
  }

  @Override
  public void close() throws IOException {
    parser.close();
  }

  /** Reads the values of one type. */
  @FunctionalInterface
  private interface ValueReader {
    /** The value that begins with the current token, which is not null. */
    Object read() throws IOException;
  }

  private ValueReader reader(String path, DataType type, TextFormats formats) {
    if (type instanceof StructType struct) {
      ObjectReader object = new ObjectReader(path + ".", struct, formats);
      return () -> {
        require(JsonToken.START_OBJECT, path, "an object");
        return object.read();
      };
    }
    if (type instanceof ArrayType array) {
      ValueReader element = reader(path + "[]", array.elementType(), formats);
      return () -> {
        require(JsonToken.START_ARRAY, path, "an array");
        List<Object> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          values.add(nullOr(element));
        }
        return new GenericArrayData(values.toArray());
      };
    }
    if (type instanceof MapType map) {
      ValueReader value = reader(path + "{}", map.valueType(), formats);
      TextColumn key = TextColumn.of(path, map.keyType(), formats);
      return () -> {
        require(JsonToken.START_OBJECT, path, "an object");
        List<Object> keys = new ArrayList<>();
        List<Object> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          Object read = key.value(parser.currentName());
          if (keys.contains(read)) {
            throw new InputException("'%s' has the key '%s' twice".formatted(path, read));
          }
          keys.add(read);
          parser.nextToken();
          values.add(nullOr(value));
        }
        return new ArrayBasedMapData(
            new GenericArrayData(keys.toArray()), new GenericArrayData(values.toArray()));
      };
    }
    TextColumn column =
        isFile ? TextColumn.ofFile(path, type, formats) : TextColumn.of(path, type, formats);
    return type.equals(DataTypes.BinaryType) ? () -> binary(path) : () -> scalar(column, type);
  }

  private Object nullOr(ValueReader reader) throws IOException {
    return parser.currentToken() == JsonToken.VALUE_NULL ? null : reader.read();
  }

  private void require(JsonToken token, String path, String what) throws IOException {
    if (parser.currentToken() != token) {
      throw new InputException("'%s' must be %s and is %s".formatted(path, what, parser.getText()));
    }
  }

  private Object scalar(TextColumn column, DataType type) throws IOException {
    JsonToken token = parser.currentToken();
    if (token.isStructStart()) {
      if (column.isString()) {
        return column.value(asWritten());
      }
      throw new InputException(
          "'%s' must be %s and is %s"
              .formatted(
                  column.name(),
                  type.simpleString(),
                  token == JsonToken.START_ARRAY ? "an array" : "an object"));
    }
    // The text as it is written, so that no digit of a number is lost.
    return column.value(parser.getText());
  }

  private byte[] binary(String path) throws IOException {
    try {
      return Base64.getDecoder().decode(parser.getText());
    } catch (IllegalArgumentException e) {
      throw new InputException("'%s' is no base64".formatted(path), e);
    }
  }

  /** An array or object as JSON, its numbers as they are written. */
  private String asWritten() throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator generator = new JsonFactory().createGenerator(text)) {
      int depth = 0;
      do {
        JsonToken token = parser.currentToken();
        if (token.isStructStart()) {
          depth++;
        } else if (token.isStructEnd()) {
          depth--;
        }
        if (token.isNumeric()) {
          generator.writeNumber(parser.getText());
        } else {
          generator.copyCurrentEvent(parser);
        }
        if (depth > 0) {
          parser.nextToken();
        }
      } while (depth > 0);
    }
    return text.toString();
  }

  /** Reads the fields of one kind of object. */
  private final class ObjectReader {

    private final String prefix;
    private final Map<String, Integer> indexes = new HashMap<>();
    private final Map<String, String> byLowerCase = new HashMap<>();
    private final ValueReader[] readers;
    private final String[] names;
    private final boolean[] seen;
    private boolean hasRead;

    ObjectReader(String prefix, StructType schema, TextFormats formats) {
      this.prefix = prefix;
      readers = new ValueReader[schema.length()];
      names = schema.fieldNames();
      seen = new boolean[readers.length];
      objects.add(this);
      for (int i = 0; i < readers.length; i++) {
        StructField field = schema.fields()[i];
        indexes.put(field.name(), i);
        byLowerCase.put(field.name().toLowerCase(Locale.ROOT), field.name());
        readers[i] = reader(prefix + field.name(), field.dataType(), formats);
      }
    }

    Optional<String> unseenField() {
      for (int i = 0; hasRead && i < seen.length; i++) {
        if (!seen[i]) {
          return Optional.of(prefix + names[i]);
        }
      }
      return Optional.empty();
    }

    /** Reads from the beginning of an object up to its end. */
    GenericInternalRow read() throws IOException {
      Object[] values = new Object[readers.length];
      boolean[] present = new boolean[readers.length];
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        Integer index = indexes.get(name);
        parser.nextToken();
        if (index == null) {
          String other = byLowerCase.get(name.toLowerCase(Locale.ROOT));
          if (other != null) {
            throw new InputException(
                "has the field '%s%s', and the schema has '%s': write it alike in both"
                    .formatted(prefix, name, other));
          }
          parser.skipChildren();
        } else {
          if (present[index]) {
            throw new InputException("has the field '%s%s' twice".formatted(prefix, name));
          }
          present[index] = true;
          seen[index] = true;
          values[index] = nullOr(readers[index]);
        }
      }
      hasRead = true;
      return new GenericInternalRow(values);
    }
  }
}
