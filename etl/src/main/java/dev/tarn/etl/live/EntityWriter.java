package dev.tarn.etl.live;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.redis.LiveStore;
import dev.tarn.etl.window.EventReader.EntityEvent;
import dev.tarn.live.EntityCells;
import dev.tarn.live.Token;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * Writes the events of one view into the live cells of their entities. The cells that were used
 * last are kept in memory; their tokens say whether they are still those in Redis. For one thread,
 * or one that adds and one that writes.
 */
final class EntityWriter {

  /** Memory that cells take in this process for each byte that they have in Redis, about. */
  private static final int MEMORY_PER_BYTE = 4;

  private static final int MEMORY_PER_ENTITY = 400;
  private static final byte[] NO_TOKEN = new byte[0];

  /** Tells that Redis has older cells of an entity than it had confirmed. */
  static final class WentBackException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WentBackException(String message) {
      super(message, null, false, false);
    }
  }

  /** An entity id that can be looked up. */
  private static final class Id {
    private final byte[] bytes;
    private final int hash;

    Id(byte[] bytes) {
      this.bytes = bytes;
      hash = Arrays.hashCode(bytes);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Id id && hash == id.hash && Arrays.equals(bytes, id.bytes);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  private record Placed(EntityEvent event, int partition, long offset) {}

  /** Cells and what they are in Redis. */
  private static final class Entry {
    private EntityCells cells;
    private byte[] token = NO_TOKEN;
    private long memory;
  }

  /** What a batch has for one entity. */
  private static final class Work {
    private final Id id;
    private final List<Placed> events = new ArrayList<>(1);
    private Entry entry;

    /** By event: how far its partition was before the batch. */
    private long[] before;

    private byte[] written;
    private Optional<byte[]> other;

    Work(Id id) {
      this.id = id;
    }
  }

  /** Events that are to be written, by entity. */
  static final class Batch {
    private final List<Work> works;

    private Batch(List<Work> works) {
      this.works = works;
    }
  }

  private final String view;
  private final long mostMemory;
  private final ViewMetrics metrics;

  /** Those that were used last are at the end. */
  private final Map<Id, Entry> cache = new LinkedHashMap<>();

  private final Map<Id, Work> batch = new HashMap<>();
  private long memory;

  EntityWriter(String view, long mostMemory, ViewMetrics metrics) {
    this.view = view;
    this.mostMemory = mostMemory;
    this.metrics = metrics;
  }

  /** Adds an event to the batch. Events of a partition come in their order. */
  void add(EntityEvent event, int partition, long offset) {
    Id id = new Id(event.id());
    batch.computeIfAbsent(id, Work::new).events.add(new Placed(event, partition, offset));
  }

  /** Forgets everything: what is cached, and the batch. */
  void clear() {
    cache.clear();
    batch.clear();
    memory = 0;
    metrics.cached(0, 0);
  }

  /** Ends the batch; the next event begins another. */
  Batch take() {
    Batch taken = new Batch(new ArrayList<>(batch.values()));
    batch.clear();
    return taken;
  }

  /**
   * Writes a batch. Meanwhile another thread may add events to the next one.
   *
   * @param bound a moment that all questions to come are at or after, microseconds
   * @param isComplete asks Redis whether it still has all progress that it confirmed
   * @throws WentBackException if Redis has lost cells
   */
  void write(
      Batch taken, LiveStore store, KeptBases bases, long bound, BooleanSupplier isComplete) {
    List<Work> left = taken.works;
    read(store, bases, left);
    for (Work work : left) {
      work.before =
          work.events.stream().mapToLong(e -> work.entry.cells.applied(e.partition())).toArray();
    }
    List<Work> all = left;
    while (!left.isEmpty()) {
      for (Work work : left) {
        apply(store, bases, bound, work);
      }
      store.flush();
      List<Work> again = new ArrayList<>();
      for (Work work : left) {
        if (work.other != null) {
          metrics.conflict();
          takeOther(bases, work, isComplete);
          again.add(work);
        } else if (work.written != null) {
          work.entry.token = LiveStore.tokenOf(work.written);
          work.entry.memory = memory(work.written);
        }
      }
      left = again;
    }
    all.forEach(this::keep);
    evict();
  }

  private void read(LiveStore store, KeptBases bases, List<Work> works) {
    List<Work> missing = new ArrayList<>();
    for (Work work : works) {
      work.entry = cache.remove(work.id);
      if (work.entry != null) {
        memory -= work.entry.memory;
      } else {
        work.entry = new Entry();
        missing.add(work);
        store.read(bases.generation(), work.id.bytes, found -> work.other = found);
      }
    }
    if (missing.isEmpty()) {
      return;
    }
    store.flush();
    for (Work work : missing) {
      set(bases, work.entry, work.other);
      work.other = null;
    }
  }

  private void set(KeptBases bases, Entry entry, Optional<byte[]> found) {
    if (found.isEmpty()) {
      entry.cells = EntityCells.live(bases.plan());
      entry.token = NO_TOKEN;
      return;
    }
    try {
      entry.cells = EntityCells.readLive(bases.plan(), Token.cells(found.get()));
      entry.token = LiveStore.tokenOf(found.get());
      entry.memory = memory(found.get());
    } catch (CorruptStateException e) {
      throw new TarnException(
          "live cells of view '%s' in Redis can't be read (%s): somebody else has written there, or a newer Tarn. ./tarn withdraw view=%s removes all that Redis has of the view, and ./tarn push view=%s makes it anew"
              .formatted(view, e.getMessage(), view, view),
          e);
    }
  }

  private void apply(LiveStore store, KeptBases bases, long bound, Work work) {
    EntityCells cells = work.entry.cells;
    boolean isNew = false;
    for (Placed placed : work.events) {
      EntityEvent event = placed.event();
      isNew |= cells.add(placed.partition(), placed.offset(), event.micros(), event.values());
    }
    work.written = null;
    work.other = null;
    if (!isNew) {
      return;
    }
    cells.settle(bound);
    cells.trim(bound, Optional.of(bases.oldest()));
    if (cells.isEmpty() && work.entry.token.length == 0) {
      return;
    }
    work.written = Token.entry(cells.toBytes());
    store.replace(
        bases.generation(),
        work.id.bytes,
        work.entry.token,
        work.written,
        found -> work.other = found);
  }

  /** Takes the cells that somebody else has written. */
  private void takeOther(KeptBases bases, Work work, BooleanSupplier isComplete) {
    // An entry is removed once nothing in it counts any more, which is no loss.
    boolean isLost = work.other.isEmpty() && !isComplete.getAsBoolean();
    set(bases, work.entry, work.other);
    for (int i = 0; i < work.before.length && work.other.isPresent(); i++) {
      isLost |= work.entry.cells.applied(work.events.get(i).partition()) < work.before[i];
    }
    if (isLost) {
      throw new WentBackException(
          "Redis has older live cells of view '%s' than it had confirmed".formatted(view));
    }
  }

  private static long memory(byte[] entry) {
    return MEMORY_PER_ENTITY + (long) MEMORY_PER_BYTE * entry.length;
  }

  private void keep(Work work) {
    Entry entry = work.entry;
    if (entry.token.length > 0) {
      cache.put(work.id, entry);
      memory += entry.memory;
    }
  }

  private void evict() {
    Iterator<Entry> oldest = cache.values().iterator();
    while (memory > mostMemory && oldest.hasNext()) {
      memory -= oldest.next().memory;
      oldest.remove();
    }
    metrics.cached(cache.size(), memory);
  }
}
