package dev.tarn.etl.window;

import dev.tarn.etl.window.EventColumns.Layout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.BoundReference;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.JavaConverters;

/**
 * Tells from which moment on each event counts for rows that ask at cuts of their own: from that of
 * the first question whose cut has it, and not before its time.
 *
 * <p>That needs cuts that only grow with the moments. Questions of one entity whose cuts don't are
 * divided into chains in which they do, and each chain gets the events for itself: its number is a
 * column beside the keys. Mostly there is one chain.
 */
final class KnownScan implements Iterator<InternalRow> {

  /** Questions in order of their moments, each with a cut that has that of the one before. */
  private static final class Chain {
    private final List<Long> moments = new ArrayList<>();
    private final List<long[]> cuts = new ArrayList<>();

    boolean takes(long moment, long[] cut) {
      int last = moments.size() - 1;
      if (last < 0) {
        return true;
      }
      return moments.get(last) == moment
          ? Arrays.equals(cuts.get(last), cut)
          : hasAll(cuts.get(last), cut);
    }

    private static boolean hasAll(long[] before, long[] cut) {
      for (int i = 0; i < before.length; i++) {
        if (before[i] > next(cut, i)) {
          return false;
        }
      }
      return true;
    }

    /** The number of the first question that has an event; their number if none has it. */
    int first(int partition, long offset) {
      int low = 0;
      int high = cuts.size();
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (offset < next(cuts.get(middle), partition)) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      return low;
    }

    private static long next(long[] cut, int partition) {
      return partition < cut.length ? cut[partition] : 0;
    }
  }

  private final PlacedRows rows;
  private final Layout layout;
  private final DataType[] types;
  private final int askingAt;
  private final int cutAt;
  private final int columns;
  private final UnsafeProjection keyOf;
  private final Map<UnsafeRow, List<Chain>> entities = new LinkedHashMap<>();
  private final Queue<InternalRow> found = new ArrayDeque<>();
  private long group;

  /**
   * A scan.
   *
   * @param sorted each entity's questions in order of time, and then its events
   * @param schema of the rows; those that come out have a column with the chain behind the keys,
   *     and not the last two, which are the cut and the place
   * @param askingAt index of the struct that holds an asking row; null in an event's row
   */
  KnownScan(Iterator<InternalRow> sorted, Layout layout, StructType schema, int askingAt) {
    this.layout = layout;
    this.askingAt = askingAt;
    columns = schema.size() - 2;
    cutAt = columns;
    rows = new PlacedRows(sorted, layout, columns + 1, askingAt);
    types = new DataType[columns];
    for (int i = 0; i < columns; i++) {
      types[i] = schema.fields()[i].dataType();
    }
    List<Expression> keys = new ArrayList<>();
    for (int i = 0; i < layout.keyTypes().size(); i++) {
      keys.add(new BoundReference(i, layout.keyTypes().get(i), true));
    }
    keyOf = UnsafeProjection.create(JavaConverters.asScalaBuffer(keys).toSeq());
  }

  @Override
  public boolean hasNext() {
    while (found.isEmpty() && rows.hasNext()) {
      read(rows.next());
    }
    return !found.isEmpty();
  }

  @Override
  public InternalRow next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return found.remove();
  }

  private void read(InternalRow row) {
    if (rows.group(row) != group) {
      entities.clear();
      group = rows.group(row);
    }
    UnsafeRow key = keyOf.apply(row);
    List<Chain> chains = entities.get(key);
    long micros = row.getLong(layout.visible());
    if (!row.isNullAt(askingAt)) {
      if (chains == null) {
        chains = new ArrayList<>();
        entities.put(key.copy(), chains);
      }
      found.add(row(row, add(chains, micros, row.getArray(cutAt).toLongArray()), micros));
    } else if (chains != null) {
      int partition = row.getInt(layout.partition());
      long offset = row.getLong(layout.offset());
      for (int i = 0; i < chains.size(); i++) {
        Chain chain = chains.get(i);
        int first = chain.first(partition, offset);
        if (first < chain.moments.size()) {
          found.add(row(row, i, Math.max(micros, chain.moments.get(first))));
        }
      }
    }
  }

  private static int add(List<Chain> chains, long moment, long[] cut) {
    int at = 0;
    while (at < chains.size() && !chains.get(at).takes(moment, cut)) {
      at++;
    }
    if (at == chains.size()) {
      chains.add(new Chain());
    }
    Chain chain = chains.get(at);
    int last = chain.moments.size() - 1;
    if (last < 0 || chain.moments.get(last) != moment) {
      chain.moments.add(moment);
      chain.cuts.add(cut);
    }
    return at;
  }

  private InternalRow row(InternalRow row, int chain, long visible) {
    Object[] values = new Object[columns + 1];
    int keys = layout.keyTypes().size();
    for (int i = 0; i < columns; i++) {
      values[i < keys ? i : i + 1] = row.isNullAt(i) ? null : row.get(i, types[i]);
    }
    values[keys] = chain;
    values[layout.visible() + 1] = visible;
    return new GenericInternalRow(values);
  }
}
