package dev.tarn.etl.input;

import java.io.IOException;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;

/** Reads the values of messages as rows. A reader is for one thread. */
public abstract class MessageReader {

  private final String timeColumn;
  private final int time;

  MessageReader(MessageFormat format) {
    timeColumn = format.timeColumn();
    time = format.schema().fieldIndex(timeColumn);
  }

  /**
   * The row that a message has, with the columns of the source.
   *
   * @param value the message's value, or null if it has none
   * @throws InputException if it does not fit the source; the message continues "the message"
   */
  public final GenericInternalRow read(byte[] value) {
    if (value == null) {
      throw new InputException("has no value (a tombstone)");
    }
    GenericInternalRow row;
    try {
      row = readValue(value);
    } catch (NoValueException e) {
      throw new InputException(e.getMessage(), e);
    } catch (IOException e) {
      throw new InputException("can't be read: " + e.getMessage(), e);
    }
    if (row.isNullAt(time)) {
      throw new InputException("has no '%s'".formatted(timeColumn));
    }
    return row;
  }

  abstract GenericInternalRow readValue(byte[] value) throws IOException;
}
