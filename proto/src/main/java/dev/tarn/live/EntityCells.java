package dev.tarn.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.aggregate.State;
import dev.tarn.aggregate.StateReader;
import dev.tarn.aggregate.StateWriter;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The cells of one entity while they are written: by a push in a base, or by the live job beside
 * it.
 *
 * <pre>
 * cells     = format applied events segments
 * format    = one byte
 * applied   = varint count, then for each partition: varint partition, varint next offset
 * events    = varint count, then by partition and offset: varint partition, varint offset, zigzag
 *             microseconds less those of the event before, nulls, values that are not null
 * segments  = varint count, then for each: varint partition + 1 (0: the base), varint number, zigzag
 *             microseconds of its newest event, and for each feature: varint count of cells, then by
 *             number: zigzag number (later ones: varint difference), varint length, state
 * </pre>
 *
 * <p>Events are kept one by one as long as a question may come before their time, and as long as
 * there are few. Others are merged into the states of cells: those of a live view by the segment of
 * their offset, so that every cut between two segments divides no cell; those of a base all
 * together.
 *
 * <p>What was applied is remembered by partition: an event that comes again changes nothing. Not
 * thread-safe.
 */
public final class EntityCells {

  /** First byte of the encoding. */
  static final int FORMAT = 1;

  /** Partition of the one segment that a base has. */
  static final int BASE = -1;

  /** Events of a segment up to which they take less room than cells. */
  private static final int FEW = 8;

  @SuppressWarnings("ArrayRecordComponent") // Nobody compares events.
  private record Event(int partition, long offset, long micros, Object[] values) {

    boolean isAfter(Event other) {
      return partition == other.partition ? offset > other.offset : partition > other.partition;
    }
  }

  private record SegmentKey(int partition, long number) implements Comparable<SegmentKey> {

    @Override
    public int compareTo(SegmentKey other) {
      return partition == other.partition
          ? Long.compare(number, other.number)
          : Integer.compare(partition, other.partition);
    }
  }

  /** The settled events of a segment. */
  private static final class Segment {
    private long newest = Long.MIN_VALUE;

    /** By feature: the states of its cells. */
    private final List<NavigableMap<Long, State>> cells = new ArrayList<>();

    Segment(int features) {
      for (int i = 0; i < features; i++) {
        cells.add(new TreeMap<>());
      }
    }
  }

  private final LivePlan plan;
  private final boolean isBase;
  private final NavigableMap<Integer, Long> applied = new TreeMap<>();
  private final List<Event> events = new ArrayList<>();
  private final NavigableMap<SegmentKey, Segment> segments = new TreeMap<>();

  private EntityCells(LivePlan plan, boolean isBase) {
    this.plan = plan;
    this.isBase = isBase;
  }

  /** The live cells of an entity without events. */
  public static EntityCells live(LivePlan plan) {
    return new EntityCells(plan, false);
  }

  /** The cells of a base for an entity without events. */
  public static EntityCells base(LivePlan plan) {
    return new EntityCells(plan, true);
  }

  /**
   * Reads live cells.
   *
   * @param bytes what {@link #toBytes} gave
   * @throws CorruptStateException if they are something else
   */
  public static EntityCells readLive(LivePlan plan, byte[] bytes) {
    return live(plan).read(bytes);
  }

  /** Reads the cells of a base; see {@link #readLive}. */
  public static EntityCells readBase(LivePlan plan, byte[] bytes) {
    return base(plan).read(bytes);
  }

  /**
   * Adds an event, unless it was applied before. Of a partition, events come in the order of their
   * offsets.
   *
   * @param values by index of the plan, null where the event has none
   * @return whether it was added
   */
  public boolean add(int partition, long offset, long micros, Object[] values) {
    if (!isBase) {
      if (offset < applied.getOrDefault(partition, 0L)) {
        return false;
      }
      applied.put(partition, offset + 1);
    }
    Event event = new Event(partition, offset, micros, values);
    int at = events.size();
    while (at > 0 && events.get(at - 1).isAfter(event)) {
      at--;
    }
    events.add(at, event);
    return true;
  }

  /** The first offset of a partition that was not applied to this entity, as far as it knows. */
  public long applied(int partition) {
    return applied.getOrDefault(partition, 0L);
  }

  /** Whether there is nothing to keep but what was applied. */
  public boolean isEmpty() {
    return events.isEmpty() && segments.isEmpty();
  }

  /**
   * Merges events that no question comes before any more, where there are more than a few.
   *
   * @param bound a moment that all questions to come are at or after
   */
  public void settle(long bound) {
    if (events.size() <= FEW && segments.isEmpty()) {
      return;
    }
    Map<SegmentKey, Integer> settled = new TreeMap<>();
    for (Event event : events) {
      if (event.micros() <= bound) {
        settled.merge(keyOf(event), 1, Integer::sum);
      }
    }
    settled.values().removeIf(count -> count <= FEW);
    if (settled.isEmpty() && segments.isEmpty()) {
      return;
    }
    for (Iterator<Event> all = events.iterator(); all.hasNext(); ) {
      Event event = all.next();
      SegmentKey key = keyOf(event);
      if (event.micros() <= bound && (settled.containsKey(key) || segments.containsKey(key))) {
        merge(segments.computeIfAbsent(key, k -> new Segment(plan.features())), event);
        all.remove();
      }
    }
  }

  private SegmentKey keyOf(Event event) {
    return isBase
        ? new SegmentKey(BASE, 0)
        : new SegmentKey(event.partition(), plan.segmentOf(event.offset()));
  }

  private void merge(Segment segment, Event event) {
    segment.newest = Math.max(segment.newest, event.micros());
    for (int i = 0; i < plan.features(); i++) {
      int index = plan.valueOf(i);
      Object value = index < 0 ? (Object) true : event.values()[index];
      if (value != null) {
        int feature = i;
        segment
            .cells
            .get(i)
            .computeIfAbsent(
                plan.cell(i, event.micros()), cell -> plan.aggregate(feature).newState())
            .add(value, event.micros(), event.partition(), event.offset());
      }
    }
  }

  /**
   * Lets go of what no question needs any more.
   *
   * @param bound a moment that all questions to come are at or after
   * @param oldest the cut of the oldest base that they are merged with; empty for a base
   */
  public void trim(long bound, Optional<Cut> oldest) {
    events.removeIf(
        event ->
            isBefore(oldest, event.partition(), event.offset()) || isOver(event.micros(), bound));
    segments
        .entrySet()
        .removeIf(
            entry -> {
              SegmentKey key = entry.getKey();
              return isBefore(oldest, key.partition(), key.number() * plan.segment())
                  || isOver(entry.getValue().newest, bound);
            });
    for (Segment segment : segments.values()) {
      for (int i = 0; i < plan.features(); i++) {
        segment.cells.get(i).headMap(plan.oldestCell(i, bound)).clear();
      }
    }
  }

  private static boolean isBefore(Optional<Cut> oldest, int partition, long offset) {
    return oldest.isPresent() && offset < oldest.get().next(partition);
  }

  /** Whether no window has an event at the bound or later. */
  private boolean isOver(long micros, long bound) {
    return micros <= bound && !plan.reaches(micros, bound);
  }

  /** The bytes of these cells: equal cells have equal bytes. */
  public byte[] toBytes() {
    StateWriter out = new StateWriter();
    out.putByte(FORMAT);
    out.putVarint(applied.size());
    applied.forEach(
        (partition, next) -> {
          out.putVarint(partition);
          out.putVarint(next);
        });
    out.putVarint(events.size());
    long micros = 0;
    for (Event event : events) {
      out.putVarint(event.partition());
      out.putVarint(event.offset());
      out.putZigzag(event.micros() - micros);
      micros = event.micros();
      write(event.values(), out);
    }
    out.putVarint(segments.size());
    segments.forEach((key, segment) -> write(key, segment, out));
    return out.toBytes();
  }

  private void write(Object[] values, StateWriter out) {
    for (int i = 0; i < values.length; i += 8) {
      int nulls = 0;
      for (int j = i; j < Math.min(i + 8, values.length); j++) {
        nulls |= values[j] == null ? 1 << (j - i) : 0;
      }
      out.putByte(nulls);
    }
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null) {
        plan.codec(i).write(values[i], out);
      }
    }
  }

  private static void write(SegmentKey key, Segment segment, StateWriter out) {
    out.putVarint(key.partition() + 1);
    out.putVarint(key.number());
    out.putZigzag(segment.newest);
    for (NavigableMap<Long, State> cells : segment.cells) {
      out.putVarint(cells.size());
      long before = 0;
      boolean isFirst = true;
      for (Map.Entry<Long, State> cell : cells.entrySet()) {
        if (isFirst) {
          out.putZigzag(cell.getKey());
        } else {
          out.putVarint(cell.getKey() - before);
        }
        isFirst = false;
        before = cell.getKey();
        out.putBytes(cell.getValue().toBytes());
      }
    }
  }

  private EntityCells read(byte[] bytes) {
    CellsReader.read(
        plan,
        isBase,
        new StateReader(bytes),
        new CellsReader.Visitor() {
          private Segment segment;

          @Override
          public void applied(int partition, long next) {
            applied.put(partition, next);
          }

          @Override
          public void event(int partition, long offset, long micros, Object[] values) {
            events.add(new Event(partition, offset, micros, values));
          }

          @Override
          public boolean segment(int partition, long number, long newest) {
            segment = new Segment(plan.features());
            segment.newest = newest;
            segments.put(new SegmentKey(partition, number), segment);
            return true;
          }

          @Override
          public boolean wants(int feature, long cell) {
            return true;
          }

          @Override
          public void cell(int feature, long cell, State state) {
            segment.cells.get(feature).put(cell, state);
          }
        });
    return this;
  }
}
