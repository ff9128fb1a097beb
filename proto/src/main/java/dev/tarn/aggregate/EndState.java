package dev.tarn.aggregate;

/** Keeps the value of the oldest or the newest event: first, last. */
final class EndState extends State {

  private long micros;
  private int partition;
  private long offset;

  /** Null before the first. */
  private Object value;

  EndState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    if (this.value != null) {
      int order =
          Place.compare(micros, partition, offset, this.micros, this.partition, this.offset);
      if (order == 0) {
        order = aggregate.codec().compare(value, this.value);
      }
      if (aggregate.kind() == Aggregate.Kind.FIRST ? order >= 0 : order <= 0) {
        return;
      }
    }
    this.micros = micros;
    this.partition = partition;
    this.offset = offset;
    this.value = aggregate.codec().kept(value);
  }

  @Override
  void mergeSame(State other) {
    EndState others = (EndState) other;
    if (others.value != null) {
      add(others.value, others.micros, others.partition, others.offset);
    }
  }

  @Override
  public State copy() {
    EndState copy = new EndState(aggregate);
    copy.mergeSame(this);
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    return value;
  }

  @Override
  void write(StateWriter out) {
    if (value == null) {
      out.putByte(0);
      return;
    }
    out.putByte(1);
    out.putZigzag(micros);
    out.putZigzag(partition);
    out.putZigzag(offset);
    aggregate.codec().write(value, out);
  }

  @Override
  void read(StateReader in) {
    if (in.readFlag()) {
      micros = in.readZigzag();
      partition = in.readInt();
      offset = in.readZigzag();
      value = aggregate.codec().read(in);
    }
  }
}
