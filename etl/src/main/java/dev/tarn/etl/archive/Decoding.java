package dev.tarn.etl.archive;

import com.google.common.collect.AbstractIterator;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.input.EventMessages;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.MessageFormat;
import java.util.Iterator;
import java.util.OptionalLong;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.apache.spark.util.LongAccumulator;

/**
 * Makes rows of messages: of those that can be decoded the events, or of the others what goes to
 * the table beside.
 */
final class Decoding implements FlatMapFunction<Iterator<InternalRow>, InternalRow> {
  private static final long serialVersionUID = 1L;

  static final String REASON = "reason";

  /** The columns of the table beside. */
  static final StructType UNDECODED =
      new StructType()
          .add("key", DataTypes.BinaryType)
          .add("value", DataTypes.BinaryType)
          .add("topic", DataTypes.StringType)
          .add(StreamSource.PARTITION, DataTypes.IntegerType)
          .add(StreamSource.OFFSET, DataTypes.LongType)
          .add(StreamSource.ARRIVED_AT, DataTypes.TimestampType)
          .add(REASON, DataTypes.StringType);

  // The columns that Spark's source gives.
  private static final int KEY = 0;
  private static final int VALUE = 1;
  private static final int TOPIC = 2;
  private static final int PARTITION = 3;
  private static final int OFFSET = 4;
  private static final int TIMESTAMP = 5;
  private static final int TIMESTAMP_TYPE = 6;

  /** The type of messages from before Kafka had times. */
  private static final int NO_TIME = -1;

  private static final int LONGEST_REASON = 500;

  private final MessageFormat format;
  private final boolean takesUndecoded;

  /** Counts messages that can't be decoded, at least once each; null where those are the rows. */
  private final LongAccumulator failures;

  private Decoding(MessageFormat format, boolean takesUndecoded, LongAccumulator failures) {
    this.format = format;
    this.takesUndecoded = takesUndecoded;
    this.failures = failures;
  }

  /**
   * Makes the events.
   *
   * @param failures tells afterwards whether there were messages that can't be decoded. Tasks that
   *     run twice may count twice
   */
  static Decoding events(MessageFormat format, LongAccumulator failures) {
    return new Decoding(format, false, failures);
  }

  /** Makes rows of the messages that can't be decoded, and of no others. */
  static Decoding undecoded(MessageFormat format) {
    return new Decoding(format, true, null);
  }

  @Override
  public Iterator<InternalRow> call(Iterator<InternalRow> messages) {
    EventMessages reader = new EventMessages(format);
    return new AbstractIterator<>() {
      @Override
      protected InternalRow computeNext() {
        while (messages.hasNext()) {
          InternalRow message = messages.next();
          try {
            InternalRow event = event(reader, message);
            if (!takesUndecoded) {
              return event;
            }
          } catch (InputException e) {
            if (takesUndecoded) {
              return undecoded(message, e.getMessage());
            }
            failures.add(1);
          }
        }
        return endOfData();
      }
    };
  }

  private static InternalRow event(EventMessages reader, InternalRow message) {
    return reader.read(
        message.isNullAt(VALUE) ? null : message.getBinary(VALUE),
        message.getInt(PARTITION),
        message.getLong(OFFSET),
        hasTime(message) ? OptionalLong.of(message.getLong(TIMESTAMP)) : OptionalLong.empty());
  }

  private static InternalRow undecoded(InternalRow message, String reason) {
    String shown =
        reason.length() > LONGEST_REASON ? reason.substring(0, LONGEST_REASON) + "…" : reason;
    boolean hasTime = hasTime(message) && EventMessages.isInRange(message.getLong(TIMESTAMP));
    return new GenericInternalRow(
        new Object[] {
          message.isNullAt(KEY) ? null : message.getBinary(KEY),
          message.isNullAt(VALUE) ? null : message.getBinary(VALUE),
          message.getUTF8String(TOPIC).copy(),
          message.getInt(PARTITION),
          message.getLong(OFFSET),
          hasTime ? message.getLong(TIMESTAMP) : null,
          UTF8String.fromString(shown)
        });
  }

  private static boolean hasTime(InternalRow message) {
    return message.getInt(TIMESTAMP_TYPE) != NO_TIME;
  }
}
