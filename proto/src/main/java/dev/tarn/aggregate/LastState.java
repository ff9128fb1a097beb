package dev.tarn.aggregate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Keeps the n newest events: last n. An event that comes twice is two events. */
final class LastState extends State {

  private static final Place[] NONE = {};

  /** The events from {@link #start} on, the oldest first: most events come in their order. */
  private Place[] places = NONE;

  private int start;
  private int size;

  LastState(Aggregate aggregate) {
    super(aggregate);
  }

  @Override
  public void add(Object value, long micros, int partition, long offset) {
    ValueCodec codec = aggregate.codec();
    if (size == aggregate.n()) {
      Place oldest = places[start];
      int order =
          Place.compare(
              micros, partition, offset, oldest.micros(), oldest.partition(), oldest.offset());
      if (order < 0 || (order == 0 && codec.compare(value, oldest.value()) <= 0)) {
        return;
      }
    }
    insert(new Place(micros, partition, offset, codec.kept(value)));
  }

  private void insert(Place place) {
    ValueCodec codec = aggregate.codec();
    if (size == aggregate.n()) {
      if (place.compareTo(places[start], codec) <= 0) {
        return;
      }
      places[start++] = null;
      size--;
    }
    if (start + size == places.length) {
      makeRoom();
    }
    int at = start + size;
    int end = at;
    if (size > 0 && place.compareTo(places[at - 1], codec) < 0) {
      int low = start;
      at--;
      while (low < at) {
        int middle = (low + at) >>> 1;
        if (places[middle].compareTo(place, codec) <= 0) {
          low = middle + 1;
        } else {
          at = middle;
        }
      }
    }
    System.arraycopy(places, at, places, at + 1, end - at);
    places[at] = place;
    size++;
  }

  /** Makes room behind the newest, so that shifting is rare: once in n events. */
  private void makeRoom() {
    int wanted = Math.min(2 * aggregate.n(), Math.max(1, 2 * size));
    Place[] target = wanted > places.length ? new Place[wanted] : places;
    System.arraycopy(places, start, target, 0, size);
    if (target == places) {
      Arrays.fill(places, size, places.length, null);
    }
    places = target;
    start = 0;
  }

  @Override
  void mergeSame(State other) {
    LastState others = (LastState) other;
    for (int i = others.start; i < others.start + others.size; i++) {
      insert(others.places[i]);
    }
  }

  @Override
  public State copy() {
    LastState copy = new LastState(aggregate);
    copy.places = Arrays.copyOfRange(places, start, start + size);
    copy.size = size;
    return copy;
  }

  @Override
  public Object result(long nowMicros) {
    if (size == 0) {
      return null;
    }
    List<Object> values = new ArrayList<>(size);
    for (int i = start + size - 1; i >= start; i--) {
      values.add(places[i].value());
    }
    return values;
  }

  @Override
  void write(StateWriter out) {
    out.putVarint(size);
    long micros = 0;
    for (int i = start + size - 1; i >= start; i--) {
      Place place = places[i];
      if (i == start + size - 1) {
        out.putZigzag(place.micros());
      } else {
        out.putVarint(micros - place.micros());
      }
      micros = place.micros();
      out.putZigzag(place.partition());
      out.putZigzag(place.offset());
      aggregate.codec().write(place.value(), out);
    }
  }

  @Override
  void read(StateReader in) {
    size = in.readCount(aggregate.n());
    // Each takes four bytes or more, so a wrong count can't ask for much memory.
    places = new Place[size];
    long micros = 0;
    for (int i = size - 1; i >= 0; i--) {
      micros = i == size - 1 ? in.readZigzag() : micros - in.readVarint();
      int partition = in.readInt();
      long offset = in.readZigzag();
      places[i] = new Place(micros, partition, offset, aggregate.codec().read(in));
      if (i < size - 1 && places[i].compareTo(places[i + 1], aggregate.codec()) > 0) {
        throw new CorruptStateException("the state has events out of their order");
      }
    }
  }
}
