package dev.tarn.row;

import com.google.protobuf.ByteString;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StructField;
import java.util.ArrayList;
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
   * A name to write a value under.
   *
   * @param index the value's place in the row
   * @param whenNull bytes to write if the row has a null: whole fields of the message around
   */
  public record Name(int index, String name, ByteString whenNull) {}

  /** A map's entry, its key and its value: field number and wire type. */
  private static final int ENTRY = 1 << 3 | 2;

  private static final int VALUE = 2 << 3 | 2;

  private final ValueWriter[] values;

  /** The names of each value; some have none, and are only read. */
  private final NamedEntry[][] entries;

  /**
   * The entries of all numbers that have one name, in their order, with zeros for the numbers: most
   * of an answer, and so most of it is copied many entries at a time.
   */
  private final byte[] numbers;

  /**
   * The end of each value's entry in {@link #numbers}. It begins at the end of the value before; a
   * value that is no such number has no bytes there.
   */
  private final int[] numberEnds;

  /**
   * A writer of rows with values of these types.
   *
   * @param names each once
   */
  public EntriesWriter(List<FeatureType> types, List<Name> names) {
    values = types.stream().map(ValueWriter::new).toArray(ValueWriter[]::new);
    List<List<NamedEntry>> byIndex = new ArrayList<>();
    types.forEach(type -> byIndex.add(new ArrayList<>()));
    names.forEach(name -> byIndex.get(name.index()).add(new NamedEntry(name)));
    entries =
        byIndex.stream().map(list -> list.toArray(NamedEntry[]::new)).toArray(NamedEntry[][]::new);
    WireBuffer numbers = new WireBuffer(64 * values.length);
    numberEnds = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      if (values[i].isNumber() && entries[i].length == 1) {
        numbers.putBytes(entry(entries[i][0].name, Values.ofDouble(0)));
      }
      numberEnds[i] = numbers.size();
    }
    this.numbers = numbers.toBytes();
  }

  static EntriesWriter ofStruct(FeatureType type) {
    List<StructField> fields = type.getFieldsList();
    // If two fields have one name the later one counts, since a map has each key once.
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
   * @throws CorruptRowException if the row is not sound, whatever is asked for; part of it is
   *     written then
   */
  public void writeRow(RowReader row, WireBuffer out) throws CorruptRowException {
    write(row, out);
    row.endValues();
  }

  void write(RowReader row, WireBuffer out) throws CorruptRowException {
    int nulls = row.readNulls(values.length);
    int next = 0;
    while (next < values.length) {
      int end = writeNumbers(row, nulls, next, out);
      if (end == next) {
        write(next, row.isNull(nulls, next), row, out);
        next++;
      } else {
        next = end;
      }
    }
  }

  /**
   * Writes values from {@code begin} on for as long as they are numbers.
   *
   * @return the first that is not written
   */
  private int writeNumbers(RowReader row, int nulls, int begin, WireBuffer out)
      throws CorruptRowException {
    int from = begin == 0 ? 0 : numberEnds[begin - 1];
    int end = begin;
    int to = from;
    while (end < values.length && numberEnds[end] > to && !row.isNull(nulls, end)) {
      to = numberEnds[end];
      end++;
    }
    byte[] room = out.room(to - from);
    int shift = out.size() - from;
    System.arraycopy(numbers, from, room, out.size(), to - from);
    int written = from;
    for (int i = begin; i < end; i++) {
      if (!values[i].readNumber(row, room, numberEnds[i] + shift - Long.BYTES)) {
        end = i;
        break;
      }
      written = numberEnds[i];
    }
    out.added(written - from);
    return end;
  }

  private void write(int index, boolean isNull, RowReader row, WireBuffer out)
      throws CorruptRowException {
    NamedEntry[] named = entries[index];
    if (isNull) {
      for (NamedEntry entry : named) {
        out.putBytes(entry.whenNull);
      }
    } else if (named.length == 0) {
      // Whether the row is sound must not depend on what is asked for.
      int begin = out.size();
      values[index].write(row, out);
      out.cutBack(begin);
    } else {
      int begin = row.position();
      for (NamedEntry entry : named) {
        row.goTo(begin);
        entry.write(values[index], row, out);
      }
    }
  }

  private static byte[] entry(String name, Value value) {
    return Struct.newBuilder().putFields(name, value).build().toByteArray();
  }

  private static final class NamedEntry {

    private final String name;
    private final byte[] whenNull;

    /** The bytes between an entry's length and its value's length. */
    private final byte[] key;

    NamedEntry(Name name) {
      this.name = name.name();
      whenNull = name.whenNull().toByteArray();
      WireBuffer key = new WireBuffer(64);
      byte[] utf8 = ByteString.copyFromUtf8(name.name()).toByteArray();
      key.putByte(ENTRY);
      key.putVarint(utf8.length);
      key.putBytes(utf8);
      key.putByte(VALUE);
      this.key = key.toBytes();
    }

    void write(ValueWriter value, RowReader row, WireBuffer out) throws CorruptRowException {
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
