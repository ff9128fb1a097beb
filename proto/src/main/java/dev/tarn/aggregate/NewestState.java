package dev.tarn.aggregate;

/** Keeps the time of the newest event: seconds since last. */
final class NewestState extends State {

  private static final long SECOND = 1_000_000;

  private boolean any;
  private long newest;

  NewestState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    if (!any || micros > newest) {
      any = true;
      newest = micros;
    }
  }

  @Override
  void mergeSame(State other) {
    NewestState others = (NewestState) other;
    if (others.any) {
      add(null, others.newest, 0, 0);
    }
  }

  @Override
  public State copy() {
    NewestState copy = new NewestState(aggregate);
    copy.any = any;
    copy.newest = newest;
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    if (!any) {
      return null;
    }
    // The difference in microseconds may be beyond a long.
    long seconds = Math.floorDiv(nowMicros, SECOND) - Math.floorDiv(newest, SECOND);
    return Math.floorMod(nowMicros, SECOND) < Math.floorMod(newest, SECOND) ? seconds - 1 : seconds;
  }

  @Override
  void write(StateWriter out) {
    if (any) {
      out.putByte(1);
      out.putZigzag(newest);
    } else {
      out.putByte(0);
    }
  }

  @Override
  void read(StateReader in) {
    any = in.readFlag();
    if (any) {
      newest = in.readZigzag();
    }
  }
}
