package dev.tarn.aggregate;

/** An event as last n keeps it: its time, its place and its value. Immutable. */
record Place(long micros, int partition, long offset, Object value) {

  /** Orders events: the newer ones of a time are those of the later place. */
  static int compare(
      long micros,
      int partition,
      long offset,
      long otherMicros,
      int otherPartition,
      long otherOffset) {
    if (micros != otherMicros) {
      return micros < otherMicros ? -1 : 1;
    }
    if (partition != otherPartition) {
      return partition < otherPartition ? -1 : 1;
    }
    return Long.compare(offset, otherOffset);
  }

  int compareTo(Place other, ValueCodec codec) {
    int order = compare(micros, partition, offset, other.micros, other.partition, other.offset);
    return order != 0 ? order : codec.compare(value, other.value);
  }
}
