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

  /**
   * Reads cells.
   *
   * @param isBase whether they are those of a base, which has other parts than live cells
   * @throws CorruptStateException if the bytes are something else
   */
  static void read(LivePlan plan, boolean isBase, StateReader in, Visitor visitor) {
    int format = in.readByte();
    if (format != EntityCells.FORMAT) {
      throw new CorruptStateException(
          "the cells have format %d; known is %d".formatted(format, EntityCells.FORMAT));
    }
    readApplied(isBase, in, visitor);
    readEvents(plan, in, visitor);
    int partition = EntityCells.BASE - 1;
    long number = 0;
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      int next = in.readCount(Progress.PARTITIONS) - 1;
      long nextNumber = readOffset(in);
      check(isBase == (next == EntityCells.BASE), "a segment of the wrong kind");
      check(isBase ? nextNumber == 0 : plan.isSegment(nextNumber), "an unknown segment");
      check(
          next > partition || (next == partition && nextNumber > number),
          "segments out of their order");
      partition = next;
      number = nextNumber;
      readCells(plan, visitor.segment(partition, number, in.readZigzag()), in, visitor);
    }
    in.end();
  }

  private static void readApplied(boolean isBase, StateReader in, Visitor visitor) {
    int partition = -1;
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      check(!isBase, "what was applied, which a base does not say");
      int next = in.readCount(Progress.PARTITIONS);
      check(next > partition, "partitions out of their order");
      partition = next;
      visitor.applied(partition, readOffset(in));
    }
  }

  private static void readEvents(LivePlan plan, StateReader in, Visitor visitor) {
    int partition = 0;
    long offset = 0;
    long micros = 0;
    for (int rest = in.readCount(in.left()); rest > 0; rest--) {
      int next = in.readCount(Progress.PARTITIONS);
      long nextOffset = readOffset(in);
      check(
          next > partition || (next == partition && nextOffset >= offset),
          "events out of their order");
      partition = next;
      offset = nextOffset;
      micros += in.readZigzag();
      visitor.event(partition, offset, micros, readValues(plan, in));
    }
  }

  private static void readCells(LivePlan plan, boolean isWanted, StateReader in, Visitor visitor) {
    for (int i = 0; i < plan.features(); i++) {
      long cell = 0;
      int count = in.readCount(in.left());
      for (int c = 0; c < count; c++) {
        long next = c == 0 ? in.readZigzag() : cell + in.readVarint();
        check(c == 0 || next > cell, "cells out of their order");
        cell = next;
        int length = in.readCount(in.left());
        if (isWanted && visitor.wants(i, cell)) {
          visitor.cell(i, cell, plan.aggregate(i).read(in.slice(length)));
        } else {
          in.skip(length);
        }
      }
    }
  }

  private static Object[] readValues(LivePlan plan, StateReader in) {
    Object[] values = new Object[plan.values()];
    int[] nulls = new int[(values.length + 7) / 8];
    for (int i = 0; i < nulls.length; i++) {
      nulls[i] = in.readByte();
    }
    for (int i = 0; i < nulls.length * 8; i++) {
      boolean isNull = (nulls[i >>> 3] & 1 << (i & 7)) != 0;
      if (i >= values.length) {
        check(!isNull, "an event with more values than events have");
      } else if (!isNull) {
        values[i] = plan.codec(i).read(in);
      }
    }
    return values;
  }

  private static long readOffset(StateReader in) {
    long offset = in.readVarint();
    check(offset >= 0, "a negative offset");
    return offset;
  }

  private static void check(boolean isGood, String problem) {
    if (!isGood) {
      throw new CorruptStateException("the cells have " + problem);
    }
  }
}
