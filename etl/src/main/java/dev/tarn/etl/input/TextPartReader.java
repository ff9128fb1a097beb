package dev.tarn.etl.input;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.tarn.cli.Plural;
import dev.tarn.etl.input.CsvRecords.NoUtf8Exception;
import dev.tarn.etl.input.InputFile.PartitionFolder;
import dev.tarn.etl.input.TextPart.Slice;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodec;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.rdd.InputFileBlockHolder;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Reads the rows of a part, and refuses what does not fit with its file, line and record. */
final class TextPartReader implements PartitionReader<InternalRow> {

  private final TextSpec spec;
  private final Configuration configuration;
  private final Iterator<Slice> slices;
  private final int time;

  /** For each column of the files, then of the folders: its place in a row, or -1. */
  private final int[] targets;

  private final GenericInternalRow row;
  private SliceReader current;

  TextPartReader(TextSpec spec, StructType wanted, TextPart part, Configuration configuration) {
    this.spec = spec;
    this.configuration = configuration;
    slices = part.slices().iterator();
    time = spec.requiredTime().orElse(-1);
    List<String> names = Arrays.asList(wanted.fieldNames());
    targets = Arrays.stream(spec.all().fieldNames()).mapToInt(names::indexOf).toArray();
    row = new GenericInternalRow(wanted.length());
  }

  @Override
  public boolean next() throws IOException {
    for (; ; ) {
      if (current != null && current.next()) {
        return true;
      }
      close();
      if (!slices.hasNext()) {
        return false;
      }
      Slice slice = slices.next();
      // What input_file_name() answers.
      InputFileBlockHolder.set(
          new Path(slice.file().path()).toUri().toString(), slice.from(), slice.length());
      try {
        current = spec.isJson() ? new JsonReader(slice) : new CsvReader(slice);
      } catch (InputException e) {
        throw e;
      } catch (IOException e) {
        throw unreadable(slice.file(), e);
      }
    }
  }

  @Override
  public InternalRow get() {
    return row;
  }

  @Override
  public void close() throws IOException {
    if (current != null) {
      current.close();
      current = null;
    }
  }

  /** The names in the header of a file. */
  static List<String> header(TextSpec spec, InputFile file, Configuration configuration) {
    try (TextPartReader reader =
            new TextPartReader(spec, new StructType(), new TextPart(List.of()), configuration);
        CsvRecords records = reader.records(Slice.of(file))) {
      if (!records.next()) {
        throw noHeader(spec, file);
      }
      return requireText(spec, file, records.texts(), configuration);
    } catch (NoUtf8Exception e) {
      throw new InputException(
          "%s: %s is not %s; %s"
              .formatted(
                  spec.label(),
                  file.path(),
                  spec.dialect().encoding(),
                  encodingRemedy(file, configuration)),
          e);
    } catch (NoValueException e) {
      throw new InputException(
          "%s: the header of %s %s".formatted(spec.label(), file.path(), e.getMessage()), e);
    } catch (IOException e) {
      throw unreadable(spec, file, configuration, e);
    }
  }

  private static InputException noHeader(TextSpec spec, InputFile file) {
    return new InputException(
        "%s: %s has no header, not even a record: was its writer stopped? write it anew, or take it away"
            .formatted(spec.label(), file.path()));
  }

  /** Refuses names with bytes of zero, which UTF-16 has between the letters of most texts. */
  private static List<String> requireText(
      TextSpec spec, InputFile file, List<String> names, Configuration configuration) {
    if (names.stream().anyMatch(name -> name.indexOf('\0') >= 0)) {
      throw new InputException(
          "%s: %s is no text in UTF-8; %s"
              .formatted(spec.label(), file.path(), encodingRemedy(file, configuration)));
    }
    return names;
  }

  private static String encodingRemedy(InputFile file, Configuration configuration) {
    return utf16(file, configuration)
        .map("it begins as UTF-16 does: options { encoding = \"%s\" }"::formatted)
        .orElse(
            "say which encoding it has: options { encoding = \"ISO-8859-1\" }, or windows-1252, …");
  }

  /** The kind of UTF-16 that a file has, as its first character says: a mark, or one of ASCII. */
  private static Optional<String> utf16(InputFile file, Configuration configuration) {
    try (InputStream in = open(Slice.of(file), configuration)) {
      int first = in.read();
      int second = in.read();
      if ((first == 0xFF && second == 0xFE) || (first == 0xFE && second == 0xFF)) {
        return Optional.of("UTF-16");
      }
      if (second == 0) {
        return Optional.of("UTF-16LE");
      }
      return first == 0 ? Optional.of("UTF-16BE") : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private InputException unreadable(InputFile file, IOException e) {
    return unreadable(spec, file, configuration, e);
  }

  private static InputException unreadable(
      TextSpec spec, InputFile file, Configuration configuration, IOException e) {
    if (e instanceof CharacterCodingException) {
      return new InputException(
          "%s: %s is not %s; %s"
              .formatted(
                  spec.label(),
                  file.path(),
                  spec.dialect().encoding(),
                  encodingRemedy(file, configuration)),
          e);
    }
    return new InputException(
        "%s: %s can't be read: %s".formatted(spec.label(), file.path(), e.getMessage()), e);
  }

  private static InputStream open(Slice slice, Configuration configuration) throws IOException {
    Path path = new Path(slice.file().path());
    FileSystem files = InputFiles.fileSystem(path, configuration);
    FSDataInputStream in = files.open(path);
    try {
      CompressionCodec codec = new CompressionCodecFactory(configuration).getCodec(path);
      if (codec != null) {
        return codec.createInputStream(in);
      }
      in.seek(slice.from());
      return in;
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  private Reader decoded(InputStream in) {
    return new InputStreamReader(
        in,
        Charset.forName(spec.dialect().encoding())
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT));
  }

  private CsvRecords records(Slice slice) throws IOException {
    InputStream in = open(slice, configuration);
    boolean isUtf8 = spec.dialect().encoding().equals(StandardCharsets.UTF_8.name());
    CsvRecords records = new CsvRecords(isUtf8 ? in : new Utf8Stream(decoded(in)), spec.dialect());
    if (slice.from() == 0) {
      return records.withoutMark();
    }
    records.startAt(slice.from(), slice.line());
    return records;
  }

  private Object[] partitionValues(InputFile file) {
    StructField[] fields = spec.partitions().fields();
    Object[] values = new Object[fields.length];
    for (int i = 0; i < fields.length; i++) {
      PartitionFolder folder = file.partitions().get(i);
      if (folder.isNull()) {
        continue;
      }
      try {
        values[i] = spec.column(fields[i].name(), fields[i].dataType()).value(folder.value());
      } catch (InputException e) {
        throw new InputException(
            "%s: the folder of %s: %s".formatted(spec.label(), file.path(), e.getMessage()), e);
      }
    }
    return values;
  }

  /** Reads one slice. */
  private abstract class SliceReader implements AutoCloseable {

    final Slice slice;

    SliceReader(Slice slice) {
      this.slice = slice;
      Object[] partitions = partitionValues(slice.file());
      for (int i = 0; i < partitions.length; i++) {
        set(spec.schema().length() + i, partitions[i]);
      }
      if (time >= spec.schema().length() && partitions[time - spec.schema().length()] == null) {
        throw refused("its folder gives it no time");
      }
    }

    abstract boolean next() throws IOException;

    @Override
    public abstract void close() throws IOException;

    abstract String place();

    void set(int column, Object value) {
      if (targets[column] >= 0) {
        row.update(targets[column], value);
      }
    }

    InputException refused(String problem) {
      return new InputException(
          "%s: %s%s %s".formatted(spec.label(), slice.file().path(), place(), problem));
    }

    InputException refusedValue(InputException e) {
      return new InputException(
          "%s: %s%s: %s".formatted(spec.label(), slice.file().path(), place(), e.getMessage()), e);
    }

    InputException noTime() {
      return refused(
          "has no '%s', so no build could ever tell whether it may see it; leave such rows out, or say missing-times = skip in the source"
              .formatted(spec.timeColumn()));
    }
  }

  private final class CsvReader extends SliceReader {

    private final CsvRecords records;
    private final TextColumn[] columns;

    /** For each field of a record, the column that it is of. */
    private int[] columnOf;

    /** The header as it stands in the file; no fields where there is none. */
    private byte[][] header = {};

    CsvReader(Slice slice) throws IOException {
      super(slice);
      StructField[] fields = spec.schema().fields();
      columns = new TextColumn[fields.length];
      for (int i = 0; i < fields.length; i++) {
        columns[i] = spec.column(fields[i].name(), fields[i].dataType());
      }
      records = records(slice);
      if (spec.dialect().hasHeader()) {
        columnOf = header();
      } else {
        columnOf = new int[fields.length];
        Arrays.setAll(columnOf, i -> i);
      }
    }

    private int[] header() throws IOException {
      List<String> given;
      if (slice.from() == 0) {
        if (!nextRecord()) {
          throw noHeader(spec, slice.file());
        }
        given = requireText(spec, slice.file(), decodedTexts(), configuration);
      } else {
        given = TextPartReader.header(spec, slice.file(), configuration);
      }
      header =
          given.stream().map(name -> name.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
      return mapped(given);
    }

    private List<String> decodedTexts() {
      try {
        return records.texts();
      } catch (NoUtf8Exception e) {
        throw notUtf8();
      }
    }

    private int[] mapped(List<String> given) {
      List<String> names = Arrays.asList(spec.schema().fieldNames());
      boolean isSame = given.size() == names.size();
      for (int i = 0; isSame && i < names.size(); i++) {
        isSame = given.get(i).equalsIgnoreCase(names.get(i));
      }
      boolean isPart =
          spec.allowsMissing()
              && names.containsAll(given)
              && given.stream().distinct().count() == given.size();
      if (!isSame && !isPart) {
        throw new InputException(
            "%s has a file whose header is not its schema: %s has %s; the schema has %s"
                .formatted(
                    spec.label(),
                    slice.file().path(),
                    String.join(", ", given),
                    String.join(", ", names)));
      }
      int[] mapped = new int[given.size()];
      for (int i = 0; i < mapped.length; i++) {
        mapped[i] = isSame ? i : names.indexOf(given.get(i));
      }
      for (int column = 0; column < names.size(); column++) {
        int wanted = column;
        if (Arrays.stream(mapped).noneMatch(c -> c == wanted)) {
          set(column, null);
        }
      }
      return mapped;
    }

    private boolean nextRecord() throws IOException {
      try {
        return records.position() < slice.to() && records.next();
      } catch (NoValueException e) {
        throw refused(e.getMessage());
      } catch (IOException e) {
        throw unreadable(slice.file(), e);
      }
    }

    @Override
    boolean next() throws IOException {
      if (!nextRecord()) {
        return false;
      }
      if (records.fields() != columnOf.length) {
        throw refused(
            "has %s where there %s %s: %s"
                .formatted(
                    Plural.of(records.fields(), "value"),
                    Plural.choose(columnOf.length, "is", "are"),
                    Plural.of(columnOf.length, "column"),
                    records.shown()));
      }
      // A column alone may have a value that is its name.
      if (records.beginsWithMark() || (header.length > 1 && records.has(header))) {
        throw refused(
            "begins as a file does (%s): were files put together? take out what stands between them, or leave them apart"
                .formatted(
                    records.beginsWithMark() ? "a byte order mark" : "the header once more"));
      }
      boolean hasTime = time < 0 || time >= columns.length;
      try {
        for (int i = 0; i < columnOf.length; i++) {
          int column = columnOf[i];
          Object value = value(i, columns[column], targets[column] >= 0);
          hasTime |= column == time && value != null;
          set(column, value);
        }
      } catch (NoUtf8Exception e) {
        throw notUtf8();
      } catch (InputException e) {
        throw refusedValue(e);
      }
      if (!hasTime) {
        throw noTime();
      }
      return true;
    }

    private Object value(int field, TextColumn column, boolean isWanted) {
      if (records.isNull(field)) {
        return null;
      }
      if (column.isString()) {
        if (isWanted) {
          return records.utf8(field);
        }
        records.requireUtf8(field);
        return null;
      }
      // Some programs write all fields in quotes; only a text can be empty.
      return records.isEmpty(field) ? null : column.value(records.text(field));
    }

    private InputException notUtf8() {
      return refused("is not UTF-8; " + encodingRemedy(slice.file(), configuration));
    }

    @Override
    String place() {
      if (records == null) {
        return "";
      }
      long header = spec.dialect().hasHeader() ? 1 : 0;
      String record =
          slice.from() == 0 && records.records() > header
              ? " (record %d)".formatted(records.records() - header)
              : "";
      return " line %d%s".formatted(records.line(), record);
    }

    @Override
    public void close() throws IOException {
      records.close();
    }
  }

  private final class JsonReader extends SliceReader {

    private final JsonRecords records;

    JsonReader(Slice slice) throws IOException {
      super(slice);
      Reader reader = decoded(open(slice, configuration));
      reader = withoutMark(reader);
      records = new JsonRecords(reader, spec.schema(), spec.formats(), spec.allowsComments());
    }

    @Override
    boolean next() throws IOException {
      InternalRow read;
      try {
        read = records.next();
      } catch (JsonProcessingException e) {
        throw refused(
            e.getOriginalMessage().contains("code 0)")
                ? "is no text in UTF-8; " + encodingRemedy(slice.file(), configuration)
                : "is no JSON: " + e.getOriginalMessage());
      } catch (InputException e) {
        throw refusedValue(e);
      } catch (IOException e) {
        throw unreadable(slice.file(), e);
      }
      StructField[] fields = spec.schema().fields();
      if (read == null) {
        requireFields();
        return false;
      }
      for (int i = 0; i < fields.length; i++) {
        Object value = ((GenericInternalRow) read).genericGet(i);
        if (i == time && value == null) {
          throw noTime();
        }
        set(i, value);
      }
      return true;
    }

    /** Refuses a file in which no record has a field: it may be there under another name. */
    private void requireFields() {
      Optional<String> unseen = spec.allowsMissing() ? Optional.empty() : records.unseenField();
      if (unseen.isPresent()) {
        throw new InputException(
            "%s: no record of %s has the field '%s' of the schema; if that is right, say missing-columns = null in the source"
                .formatted(spec.label(), slice.file().path(), unseen.get()));
      }
    }

    @Override
    String place() {
      return records == null
          ? ""
          : " line %d (record %d)".formatted(records.line(), Math.max(1, records.records()));
    }

    @Override
    public void close() throws IOException {
      records.close();
    }
  }

  private static Reader withoutMark(Reader reader) throws IOException {
    BufferedReader buffered = new BufferedReader(reader);
    buffered.mark(1);
    if (buffered.read() != '\uFEFF') {
      buffered.reset();
    }
    return buffered;
  }
}
