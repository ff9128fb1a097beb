package dev.tarn.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.aggregate.State;
import dev.tarn.aggregate.StateReader;

/** Reads the encoding of cells, which {@link EntityCells} states. */
final class CellsReader {

  /** Takes what is read, in the order of the encoding. */
  interface Visitor {

    void applied(int partition, long next);

    void event(int partition, long offset, long micros, Object[] values);

    /** Begins a segment; returns whether its cells are wanted. */
    boolean segment(int partition, long number, long newest);

    /** Returns whether the state of a cell is wanted. */
    boolean wants(int feature, long cell);

    void cell(int feature, long cell, State state);
  }

  private CellsReader() {}

  static void read(LivePlan plan, StateReader in, Visitor visitor) {
    int format = in.readByte();
    if (format != EntityCells.FORMAT) {
      throw new CorruptStateException(
          "the cells have format %d; known is %d".formatted(format, EntityCells.FORMAT));
    }
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      int partition = in.readCount(Integer.MAX_VALUE);
      visitor.applied(partition, in.readVarint());
    }
    long micros = 0;
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      int partition = in.readCount(Integer.MAX_VALUE);
      long offset = in.readVarint();
      micros += in.readZigzag();
      visitor.event(partition, offset, micros, values(plan, in));
    }
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      readSegment(plan, in, visitor);
    }
    in.end();
  }

  private static void readSegment(LivePlan plan, StateReader in, Visitor visitor) {
    int partition = in.readCount(Integer.MAX_VALUE) - 1;
    long number = in.readVarint();
    boolean isWanted = visitor.segment(partition, number, in.readZigzag());
    for (int i = 0; i < plan.features(); i++) {
      long cell = 0;
      int count = in.readCount(in.left());
      for (int c = 0; c < count; c++) {
        cell = c == 0 ? in.readZigzag() : cell + in.readVarint();
        int length = in.readCount(in.left());
        if (isWanted && visitor.wants(i, cell)) {
          visitor.cell(i, cell, plan.aggregate(i).read(in.slice(length)));
        } else {
          in.skip(length);
        }
      }
    }
  }

  private static Object[] values(LivePlan plan, StateReader in) {
    Object[] values = new Object[plan.values()];
    int[] nulls = new int[(values.length + 7) / 8];
    for (int i = 0; i < nulls.length; i++) {
      nulls[i] = in.readByte();
    }
    for (int i = 0; i < values.length; i++) {
      if ((nulls[i >>> 3] & 1 << (i & 7)) == 0) {
        values[i] = plan.codec(i).read(in);
      }
    }
    return values;
  }
}
