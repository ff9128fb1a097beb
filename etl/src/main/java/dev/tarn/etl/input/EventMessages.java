package dev.tarn.etl.input;

import dev.tarn.etl.definition.StreamSource;
import java.util.OptionalLong;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;

/**
 * Makes the events of a stream source of its topic's messages: what a message declares, and its
 * place. For one thread.
 */
public final class EventMessages {

  private final MessageReader reader;
  private final int columns;

  public EventMessages(MessageFormat format) {
    reader = format.reader();
    columns = format.schema().length();
  }

  /**
   * The event that a message is: a row of {@link StreamSource#eventColumns}.
   *
   * @param value the message's value, or null if it has none
   * @param arrivedAt microseconds since 1970; empty: the message has no time
   * @throws InputException if it does not fit the source; the message continues "the message"
   */
  public GenericInternalRow read(byte[] value, int partition, long offset, OptionalLong arrivedAt) {
    GenericInternalRow row = reader.read(value);
    Object[] values = new Object[columns + StreamSource.PLACE.size()];
    System.arraycopy(row.values(), 0, values, 0, columns);
    values[columns] = partition;
    values[columns + 1] = offset;
    if (arrivedAt.isPresent()) {
      if (!isInRange(arrivedAt.getAsLong())) {
        throw new InputException(
            "was sent with a time outside the years 0001 to 9999, which Kafka keeps for it");
      }
      values[columns + 2] = arrivedAt.getAsLong();
    }
    return new GenericInternalRow(values);
  }

  /** Whether a time is one that all readers of Iceberg know. */
  public static boolean isInRange(long micros) {
    return micros >= TextMoments.LEAST && micros <= TextMoments.GREATEST;
  }
}
