package dev.tarn.row;

import com.google.protobuf.ByteString;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StructField;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes the values of a row, or of a struct in it, as entries of a {@code map<string,
 * google.protobuf.Value>} with the field number 1, which {@code Struct.fields} and {@code
 * FeatureSet.features} are alike. Immutable.
 */
public final class EntriesWriter {

  /**
   * A name under which a value is written.
   *
   * @param index the value's place in the row
   * @param whenNull what is written where the row has a null: whole fields of the message around
   */
  public record Name(int index, String name, ByteString whenNull) {}

  /** A map's entry, its key and its value: field number and wire type. */
  private static final int ENTRY = 1 << 3 | 2;

  private static final int VALUE = 2 << 3 | 2;

  private final ValueWriter[] values;

  /** The names of each value; some have none, and are only read. */
  private final Entry[][] entries;

  /**
   * A writer of rows with values of these types.
   *
   * @param names each once
   */
  public EntriesWriter(List<FeatureType> types, List<Name> names) {
    values = types.stream().map(ValueWriter::new).toArray(ValueWriter[]::new);
    List<List<Entry>> byIndex = new ArrayList<>();
    types.forEach(type -> byIndex.add(new ArrayList<>()));
    names.forEach(name -> byIndex.get(name.index()).add(new Entry(name)));
    entries = byIndex.stream().map(list -> list.toArray(Entry[]::new)).toArray(Entry[][]::new);
  }

  static EntriesWriter ofStruct(FeatureType type) {
    List<StructField> fields = type.getFieldsList();
    // Of two fields of one name the later one counts: a map has each key once.
    Map<String, Integer> last = new HashMap<>();
    for (int i = 0; i < fields.size(); i++) {
      last.put(fields.get(i).getName(), i);
    }
    List<Name> names = new ArrayList<>();
    last.forEach(
        (name, index) ->
            names.add(new Name(index, name, ByteString.copyFrom(entry(name, Values.NULL)))));
    return new EntriesWriter(fields.stream().map(StructField::getType).toList(), names);
  }

  /**
   * Writes a whole row, of which the event timestamp was read.
   *
   * @throws CorruptRowException exactly where {@link RowReader#readValues} throws it; part of the
   *     row is written then
   */
  public void writeRow(RowReader row, WireBuffer out) throws CorruptRowException {
    write(row, out);
    row.endValues();
  }

  void write(RowReader row, WireBuffer out) throws CorruptRowException {
    int nulls = row.readNulls(values.length);
    for (int i = 0; i < values.length; i++) {
      Entry[] named = entries[i];
      if (row.isNull(nulls, i)) {
        for (Entry entry : named) {
          out.putBytes(entry.whenNull);
        }
      } else if (named.length == 0) {
        // Whether the row is sound must not depend on what is asked for.
        int begin = out.size();
        values[i].write(row, out);
        out.cutBack(begin);
      } else {
        int begin = row.position();
        for (Entry entry : named) {
          row.goTo(begin);
          entry.write(values[i], row, out);
        }
      }
    }
  }

  private static byte[] entry(String name, Value value) {
    return Struct.newBuilder().putFields(name, value).build().toByteArray();
  }

  private static final class Entry {

    private final byte[] whenNull;

    /** All of an entry but the eight bytes of its number. */
    private final byte[] beforeNumber;

    /** Of any other entry what comes between its length and that of its value. */
    private final byte[] key;

    Entry(Name name) {
      whenNull = name.whenNull().toByteArray();
      byte[] number = entry(name.name(), Values.ofDouble(0));
      beforeNumber = Arrays.copyOf(number, number.length - Long.BYTES);
      WireBuffer key = new WireBuffer(64);
      byte[] utf8 = ByteString.copyFromUtf8(name.name()).toByteArray();
      key.putByte(ENTRY);
      key.putVarint(utf8.length);
      key.putBytes(utf8);
      key.putByte(VALUE);
      this.key = key.toBytes();
    }

    void write(ValueWriter value, RowReader row, WireBuffer out) throws CorruptRowException {
      if (value.writeNumber(row, beforeNumber, out)) {
        return;
      }
      out.putByte(ENTRY);
      int entryBegin = out.beginMessage(1);
      out.putBytes(key);
      int valueBegin = out.beginMessage(1);
      value.write(row, out);
      out.endMessage(valueBegin, 1);
      out.endMessage(entryBegin, 1);
    }
  }
}
