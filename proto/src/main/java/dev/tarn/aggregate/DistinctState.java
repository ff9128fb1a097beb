package dev.tarn.aggregate;

import java.util.Arrays;

/**
 * Counts different values: by the set of their hashes while there are few, then by registers. When
 * it changes from one to the other depends on the values alone, and so do the registers.
 */
final class DistinctState extends State {

  /** Greatest count that is exact. */
  static final int EXACT = 256;

  private static final long[] NONE = {};

  /**
   * The hashes in ascending order; a wide one takes two longs. Null where there are {@link
   * #registers}.
   */
  private long[] hashes = NONE;

  private int size;

  /** Null up to {@link #EXACT} values. */
  private HyperLogLog registers;

  DistinctState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    ValueCodec codec = aggregate.codec();
    if (codec.isNarrow()) {
      add(Hashes.mix(codec.identity(value)), 0);
    } else {
      Hashes.Wide hash = Hashes.of(codec.identityBytes(value));
      add(hash.first(), hash.second());
    }
  }

  private void add(long first, long second) {
    if (registers != null) {
      registers.add(first);
      return;
    }
    int low = 0;
    int high = size;
    while (low < high) {
      int middle = (low + high) >>> 1;
      int order = compareAt(middle, first, second);
      if (order == 0) {
        return;
      }
      if (order < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (size == EXACT) {
      toRegisters();
      registers.add(first);
    } else {
      insert(low, first, second);
    }
  }

  private int compareAt(int index, long first, long second) {
    int at = index * width();
    int order = Long.compare(hashes[at], first);
    return order != 0 || width() == 1 ? order : Long.compare(hashes[at + 1], second);
  }

  private void insert(int index, long first, long second) {
    int at = index * width();
    int end = size * width();
    if (end == hashes.length) {
      hashes = Arrays.copyOf(hashes, Math.max(width(), 2 * end));
    }
    System.arraycopy(hashes, at, hashes, at + width(), end - at);
    hashes[at] = first;
    if (width() == 2) {
      hashes[at + 1] = second;
    }
    size++;
  }

  private void toRegisters() {
    registers = new HyperLogLog();
    for (int i = 0; i < size; i++) {
      registers.add(hashes[i * width()]);
    }
    hashes = null;
    size = 0;
  }

  private int width() {
    return aggregate.codec().isNarrow() ? 1 : 2;
  }

  @Override
  void mergeSame(State other) {
    DistinctState others = (DistinctState) other;
    if (others.registers != null) {
      if (registers == null) {
        toRegisters();
      }
      registers.merge(others.registers);
      return;
    }
    int width = width();
    for (int i = 0; i < others.size; i++) {
      add(others.hashes[i * width], width == 1 ? 0 : others.hashes[i * width + 1]);
    }
  }

  @Override
  public State copy() {
    DistinctState copy = new DistinctState(aggregate);
    if (registers == null) {
      copy.hashes = Arrays.copyOf(hashes, size * width());
    } else {
      copy.hashes = null;
      copy.registers = registers.copy();
    }
    copy.size = size;
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    // There are registers only if there were more values than are counted exactly.
    return registers == null
        ? (long) size
        : Math.max(EXACT + 1L, (long) (registers.estimate() + 0.5));
  }

  /** Writes how many hashes there are, and them; or one more than there can be, and registers. */
  @Override
  void write(StateWriter out) {
    if (registers != null) {
      out.putVarint(EXACT + 1);
      registers.write(out);
      return;
    }
    out.putVarint(size);
    for (int i = 0; i < size * width(); i++) {
      out.putFixed64(hashes[i]);
    }
  }

  @Override
  void read(StateReader in) {
    int count = in.readCount(EXACT + 1);
    if (count > EXACT) {
      hashes = null;
      registers = HyperLogLog.read(in);
      return;
    }
    hashes = new long[count * width()];
    size = count;
    for (int i = 0; i < hashes.length; i++) {
      hashes[i] = in.readFixed64();
    }
    for (int i = 1; i < count; i++) {
      int at = i * width();
      if (compareAt(i - 1, hashes[at], width() == 1 ? 0 : hashes[at + 1]) >= 0) {
        throw new CorruptStateException("the state has hashes out of their order");
      }
    }
  }
}
