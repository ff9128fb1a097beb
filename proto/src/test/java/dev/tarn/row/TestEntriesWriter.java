package dev.tarn.row;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** {@link EntriesWriter} beside {@link RowReader}: the same values, the same refusals. */
class TestEntriesWriter {

  private static final long AS_OF = 1_767_225_600_000_000L;

  @Test
  void itWritesWhatTheObjectsWouldBeWrittenAs() throws Exception {
    Random random = new Random(21);
    RandomRows rows = new RandomRows(random);
    for (int i = 0; i < 5_000; i++) {
      List<FeatureType> types = rows.types(random.nextInt(12));
      byte[] row = rows.row(AS_OF, AS_OF, types);

      byte[] written = write(row, types);

      assertThat(parse(written))
          .as("case %d: %s of %s", i, HexFormat.of().formatHex(row), types)
          .isEqualTo(parse(objects(row, types).toByteArray()));
      // Nothing twice, and no length longer than it need be.
      assertThat(written).hasSameSizeAs(objects(row, types).toByteArray());
    }
  }

  @Test
  void itRefusesWhatTheReaderRefusesForTheSameReason() throws Exception {
    Random random = new Random(22);
    RandomRows rows = new RandomRows(random);
    int corrupt = 0;
    for (int i = 0; i < 30_000; i++) {
      List<FeatureType> types = rows.types(1 + random.nextInt(5));
      byte[] row = rows.damaged(rows.row(AS_OF, AS_OF - random.nextInt(), types));
      String what = "case %d: %s of %s".formatted(i, HexFormat.of().formatHex(row), types);

      Throwable refusal = catchThrowable(() -> objects(row, types));

      if (refusal == null) {
        assertThat(parse(write(row, types)))
            .as(what)
            .isEqualTo(parse(objects(row, types).toByteArray()));
      } else {
        corrupt++;
        assertThat(catchThrowableOfType(CorruptRowException.class, () -> write(row, types)))
            .as(what)
            .hasMessage(refusal.getMessage());
      }
    }
    assertThat(corrupt).isBetween(5_000, 28_000);
  }

  @Test
  void aValueThatNobodyAsksForIsReadAllTheSame() throws Exception {
    FeatureType text = FeatureType.newBuilder().setKind(Kind.KIND_STRING).build();
    RowWriter row = new RowWriter();
    row.start(AS_OF, AS_OF);
    row.putNulls(2);
    row.putBytes(new byte[] {'a'});
    row.putBytes(new byte[] {'b'});
    EntriesWriter second =
        new EntriesWriter(
            List.of(text, text), List.of(new EntriesWriter.Name(1, "b", ByteString.EMPTY)));

    assertThat(Struct.parseFrom(write(row.toBytes(), second)).getFieldsMap())
        .containsExactly(Map.entry("b", Values.ofString("b")));
    byte[] damaged = row.toBytes();
    damaged[2] = 9;
    assertThat(catchThrowable(() -> write(damaged, second)))
        .isInstanceOf(CorruptRowException.class)
        .hasMessage("the row ends at byte 6, within a value at byte 3");
  }

  @Test
  void aValueMayHaveSeveralNames() throws Exception {
    FeatureType list =
        FeatureType.newBuilder()
            .setKind(Kind.KIND_ARRAY)
            .setElement(FeatureType.newBuilder().setKind(Kind.KIND_BIGINT))
            .build();
    RowWriter row = new RowWriter();
    row.start(AS_OF, AS_OF);
    row.putNulls(1);
    row.putLength(1);
    row.putNulls(1);
    row.putLong(Long.MAX_VALUE);
    EntriesWriter twice =
        new EntriesWriter(
            List.of(list),
            List.of(
                new EntriesWriter.Name(0, "a", ByteString.EMPTY),
                new EntriesWriter.Name(0, "view.a", ByteString.EMPTY)));

    Value value =
        Value.newBuilder()
            .setListValue(ListValue.newBuilder().addValues(Values.ofLong(Long.MAX_VALUE)))
            .build();
    assertThat(Struct.parseFrom(write(row.toBytes(), twice)).getFieldsMap())
        .containsOnly(Map.entry("a", value), Map.entry("view.a", value));
  }

  @Test
  void numbersAreWrittenWhateverIsAskedOfThoseBetween() throws Exception {
    FeatureType number = FeatureType.newBuilder().setKind(Kind.KIND_DOUBLE).build();
    FeatureType whole = FeatureType.newBuilder().setKind(Kind.KIND_BIGINT).build();
    RowWriter row = new RowWriter();
    row.start(AS_OF, AS_OF);
    row.putNulls(6);
    row.putDouble(0.5);
    row.putLong((1L << 53) + 1);
    row.putDouble(1.5);
    row.putDouble(2.5);
    row.putLong(1L << 53);
    row.putDouble(-0.0);
    EntriesWriter writer =
        new EntriesWriter(
            List.of(number, whole, number, number, whole, number),
            List.of(
                new EntriesWriter.Name(0, "first", ByteString.EMPTY),
                new EntriesWriter.Name(1, "large", ByteString.EMPTY),
                new EntriesWriter.Name(2, "twice", ByteString.EMPTY),
                new EntriesWriter.Name(2, "view.twice", ByteString.EMPTY),
                // Nobody asks for the fourth.
                new EntriesWriter.Name(4, "whole", ByteString.EMPTY),
                new EntriesWriter.Name(5, "zero", ByteString.EMPTY)));

    assertThat(Struct.parseFrom(write(row.toBytes(), writer)).getFieldsMap())
        .containsOnly(
            Map.entry("first", Values.ofDouble(0.5)),
            Map.entry("large", Values.ofString("9007199254740993")),
            Map.entry("twice", Values.ofDouble(1.5)),
            Map.entry("view.twice", Values.ofDouble(1.5)),
            Map.entry("whole", Values.ofDouble(9007199254740992.0)),
            Map.entry("zero", Values.ofDouble(-0.0)));
  }

  private static byte[] write(byte[] row, List<FeatureType> types) throws CorruptRowException {
    List<EntriesWriter.Name> names =
        IntStream.range(0, types.size())
            .mapToObj(i -> new EntriesWriter.Name(i, "n" + i, nullEntry("n" + i)))
            .toList();
    return write(row, new EntriesWriter(types, names));
  }

  private static byte[] write(byte[] row, EntriesWriter writer) throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(AS_OF);
    WireBuffer out = new WireBuffer(0);
    writer.writeRow(reader, out);
    return out.toBytes();
  }

  private static ByteString nullEntry(String name) {
    return Struct.newBuilder().putFields(name, Values.NULL).build().toByteString();
  }

  private static Struct objects(byte[] row, List<FeatureType> types) throws CorruptRowException {
    RowReader reader = new RowReader(row);
    reader.readEventTimestamp(AS_OF);
    Value[] values = RowValues.read(reader, types);
    Struct.Builder struct = Struct.newBuilder();
    for (int i = 0; i < values.length; i++) {
      struct.putFields("n" + i, values[i]);
    }
    return struct.build();
  }

  /**
   * Parses what a client reads, in one order, so that bits are compared: equals takes each NaN for
   * the same.
   */
  private static byte[] parse(byte[] bytes) throws IOException {
    Struct struct = Struct.parseFrom(bytes);
    byte[] ordered = new byte[struct.getSerializedSize()];
    CodedOutputStream out = CodedOutputStream.newInstance(ordered);
    out.useDeterministicSerialization();
    struct.writeTo(out);
    return ordered;
  }
}
