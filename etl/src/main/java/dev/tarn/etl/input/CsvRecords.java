package dev.tarn.etl.input;

import com.google.common.base.Utf8;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Reads the records of CSV in UTF-8, strictly: fields are separated and quoted as RFC 4180 says,
 * and what is not is refused. Lines end with LF, CR LF or CR; empty lines are no records.
 */
final class CsvRecords implements Closeable {

  /** A quote that nobody closes would take the rest of the file. */
  private static final int LONGEST = 64 << 20;

  private final InputStream in;
  private final CsvDialect dialect;
  private final byte[] buffer = new byte[1 << 16];
  private int at;
  private int limit;
  private long offset;

  /** The line that is read, from 1. */
  private long line = 1;

  private long recordLine = 1;
  private long records;
  private byte[] bytes = new byte[1024];
  private int length;
  private int[] ends = new int[32];
  private boolean[] quoted = new boolean[32];
  private int fields;

  CsvRecords(InputStream in, CsvDialect dialect) {
    this.in = in;
    this.dialect = dialect;
  }

  /** Passes over a byte order mark, which spreadsheets write. */
  CsvRecords withoutMark() throws IOException {
    fill();
    if (limit >= 3
        && buffer[0] == (byte) 0xEF
        && buffer[1] == (byte) 0xBB
        && buffer[2] == (byte) 0xBF) {
      at = 3;
    }
    return this;
  }

  /** Goes on in mid-file: after the line break of what stands before. */
  void startAt(long position, long lineThere) {
    offset = position;
    line = lineThere;
  }

  /**
   * Reads on up to the next record.
   *
   * @return false at the end
   */
  boolean next() throws IOException {
    for (; ; ) {
      int c = read();
      if (c < 0) {
        return false;
      }
      if (c == '\n' || c == '\r') {
        endLine(c);
      } else if (c == dialect.comment()) {
        do {
          c = read();
        } while (c >= 0 && c != '\n' && c != '\r');
        endLine(c);
      } else {
        at--;
        recordLine = line;
        records++;
        readRecord();
        return true;
      }
    }
  }

  /** The byte at which the next record, or an empty line before it, begins. */
  long position() {
    return offset - limit + at;
  }

  private void readRecord() throws IOException {
    fields = 0;
    length = 0;
    int c;
    do {
      if (dialect.trimsLeft()) {
        do {
          c = read();
        } while (c == ' ' || (c == '\t' && dialect.separator() != '\t'));
      } else {
        c = read();
      }
      if (c == dialect.quote() && c >= 0) {
        c = readQuoted();
        endField(true);
      } else {
        c = readPlain(c);
        endField(false);
      }
    } while (c == dialect.separator());
    endLine(c);
  }

  /** Reads up to what follows the closing quote. */
  private int readQuoted() throws IOException {
    int quote = dialect.quote();
    int escape = dialect.escape();
    for (; ; ) {
      int from = at;
      while (at < limit
          && buffer[at] != quote
          && buffer[at] != escape
          && buffer[at] != '\n'
          && buffer[at] != '\r') {
        at++;
      }
      append(from, at);
      int c = read();
      if (c < 0) {
        throw malformed("has a quote that is not closed");
      }
      if (c == '\n' || (c == '\r' && peek() != '\n')) {
        line++;
        append(c);
      } else if (c == quote) {
        c = read();
        if (c != quote) {
          return afterQuote(c);
        }
        append(c);
      } else if (c == escape) {
        int next = peek();
        if (next == quote || next == escape) {
          c = read();
        }
        append(c);
      } else {
        append(c);
      }
    }
  }

  private int afterQuote(int first) throws IOException {
    int c = first;
    while (dialect.trimsRight() && c == ' ') {
      c = read();
    }
    if (c >= 0 && c != dialect.separator() && c != '\n' && c != '\r') {
      throw malformed(
          "has '%s' after a closing quote; a quote within quotes is written twice (options { escape = … } names another way)"
              .formatted((char) c));
    }
    return c;
  }

  /** Reads up to what follows the field. */
  private int readPlain(int first) throws IOException {
    int separator = dialect.separator();
    int quote = dialect.quote();
    int c = first;
    if (c < 0 || c == separator || c == '\n' || c == '\r') {
      return c;
    }
    append(c);
    for (; ; ) {
      int from = at;
      while (at < limit) {
        byte b = buffer[at];
        if (b == separator || b == '\n' || b == '\r' || b == quote) {
          break;
        }
        at++;
      }
      append(from, at);
      c = read();
      if (c == quote && c >= 0) {
        throw malformed(
            "has a quote in a field that does not begin with one; write the field in quotes, and the quote twice (options { quote = \"\" } takes quotes as text)");
      }
      if (c < 0 || c == separator || c == '\n' || c == '\r') {
        return c;
      }
      append(c);
    }
  }

  private void endField(boolean isQuoted) {
    if (fields == ends.length) {
      ends = Arrays.copyOf(ends, 2 * fields);
      quoted = Arrays.copyOf(quoted, 2 * fields);
    }
    int begin = fields == 0 ? 0 : ends[fields - 1];
    while (!isQuoted && dialect.trimsRight() && length > begin && bytes[length - 1] == ' ') {
      length--;
    }
    quoted[fields] = isQuoted;
    ends[fields++] = length;
  }

  private void endLine(int c) throws IOException {
    if (c == '\r' && peek() == '\n') {
      at++;
    }
    line++;
  }

  private int read() throws IOException {
    return at < limit || fill() ? buffer[at++] & 0xFF : -1;
  }

  private int peek() throws IOException {
    return at < limit || fill() ? buffer[at] & 0xFF : -1;
  }

  private boolean fill() throws IOException {
    int got = in.read(buffer, 0, buffer.length);
    at = 0;
    limit = Math.max(got, 0);
    offset += limit;
    return got > 0;
  }

  private void append(int c) {
    if (length == bytes.length) {
      grow(1);
    }
    bytes[length++] = (byte) c;
  }

  private void append(int from, int to) {
    int more = to - from;
    if (length + more > bytes.length) {
      grow(more);
    }
    System.arraycopy(buffer, from, bytes, length, more);
    length += more;
  }

  private void grow(int more) {
    if (length + more > LONGEST) {
      throw malformed("is longer than 64 MiB: is a quote not closed?");
    }
    bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, length + more));
  }

  int fields() {
    return fields;
  }

  /** Number of records so far, this one included. */
  long records() {
    return records;
  }

  /** The line at which the record begins, from 1. */
  long line() {
    return recordLine;
  }

  /**
   * Whether a field stands for no value: it is empty, or the text of the dialect, without quotes.
   */
  boolean isNull(int field) {
    if (quoted[field]) {
      return false;
    }
    int begin = begin(field);
    return ends[field] == begin
        || (!dialect.nullText().isEmpty() && dialect.nullText().equals(text(field)));
  }

  boolean isEmpty(int field) {
    return ends[field] == begin(field);
  }

  /**
   * A field's text.
   *
   * @throws NoValueException if its bytes are no UTF-8
   */
  String text(int field) {
    int begin = begin(field);
    requireUtf8(begin, ends[field]);
    return new String(bytes, begin, ends[field] - begin, StandardCharsets.UTF_8);
  }

  /** A field's text as Spark holds it. */
  UTF8String utf8(int field) {
    int begin = begin(field);
    requireUtf8(begin, ends[field]);
    return UTF8String.fromBytes(Arrays.copyOfRange(bytes, begin, ends[field]));
  }

  /** Whether the record begins with a byte order mark. */
  boolean beginsWithMark() {
    return ends[0] >= 3
        && bytes[0] == (byte) 0xEF
        && bytes[1] == (byte) 0xBB
        && bytes[2] == (byte) 0xBF;
  }

  /** Whether the record has these fields and no others. */
  boolean has(byte[][] texts) {
    if (texts.length != fields) {
      return false;
    }
    for (int i = 0; i < fields; i++) {
      if (!Arrays.equals(bytes, begin(i), ends[i], texts[i], 0, texts[i].length)) {
        return false;
      }
    }
    return true;
  }

  /** Refuses a field that is no text, also where nobody wants its value. */
  void requireUtf8(int field) {
    requireUtf8(begin(field), ends[field]);
  }

  private void requireUtf8(int begin, int end) {
    if (!Utf8.isWellFormed(bytes, begin, end - begin)) {
      throw new NoUtf8Exception();
    }
  }

  List<String> texts() {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < fields; i++) {
      texts.add(text(i));
    }
    return texts;
  }

  /** The beginning of the record as it may be shown. */
  String shown() {
    List<String> shown = new ArrayList<>();
    for (int i = 0; i < fields; i++) {
      int begin = begin(i);
      shown.add(new String(bytes, begin, ends[i] - begin, StandardCharsets.UTF_8));
    }
    String all = String.join(Character.toString(dialect.separator()), shown);
    return all.length() > 200 ? all.substring(0, 200) + "…" : all;
  }

  private int begin(int field) {
    return field == 0 ? 0 : ends[field - 1];
  }

  private NoValueException malformed(String problem) {
    return new NoValueException(problem);
  }

  @Override
  public void close() throws IOException {
    in.close();
  }

  /** Bytes that are no UTF-8. */
  static final class NoUtf8Exception extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NoUtf8Exception() {
      super("no UTF-8", null, false, false);
    }
  }
}
