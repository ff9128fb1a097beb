package dev.tarn.etl.window;

import com.google.common.hash.HashCode;
import com.google.common.hash.HashFunction;
import com.google.common.hash.Hashing;
import dev.tarn.etl.definition.Source;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BoundReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/** Reads the id of events as a hash of 128 bits. For one thread. */
public final class EventIdReader {

  private static final HashFunction HASH = Hashing.murmur3_128();

  private final UnsafeProjection projection;

  /** A reader for a stream source with {@code event-id}. */
  public EventIdReader(Source source) {
    StructType columns = source.columns().orElseThrow();
    int column = columns.fieldIndex(source.eventId().orElseThrow().column());
    Expression id = new BoundReference(column, columns.fields()[column].dataType(), true);
    projection = UnsafeProjection.create(JavaConverters.asScalaBuffer(List.of(id)).toSeq());
  }

  /** The hash of an event's id; empty if it has none. */
  public Optional<HashCode> read(InternalRow event) {
    UnsafeRow row = projection.apply(event);
    return row.isNullAt(0) ? Optional.empty() : Optional.of(HASH.hashBytes(row.getBytes()));
  }
}
