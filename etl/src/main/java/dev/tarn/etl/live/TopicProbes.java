package dev.tarn.etl.live;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.StopSignal;
import dev.tarn.etl.archive.TopicClient;
import dev.tarn.etl.archive.TopicState;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeSet;

/**
 * Asks the brokers again and again where a topic ends. Once all offsets before an end are applied,
 * the partition is known to be applied up to the moment at which that was asked; so a silent
 * partition is never behind.
 */
final class TopicProbes implements AutoCloseable {

  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final Duration PAUSE_AFTER_TROUBLE = Duration.ofSeconds(1);

  /** The topic itself is looked at every so many probes. */
  private static final int LOOKS_EVERY = 10;

  /** Probes to keep while the job is behind them. */
  private static final int MOST_KEPT = 128;

  /** The ends at a moment, microseconds. */
  private record Probe(long at, SortedMap<Integer, Long> ends) {}

  private final TopicClient client;
  private final SourceMetrics metrics;
  private final StopSignal stop;
  private final Deque<Probe> probes = new ArrayDeque<>();
  private volatile TopicState state;
  private volatile Optional<TarnException> trouble = Optional.empty();
  private volatile boolean isClosed;

  /**
   * Begins to ask.
   *
   * @throws TarnException if there is no such topic, or no broker answers
   */
  TopicProbes(TopicClient client, SourceMetrics metrics, StopSignal stop) {
    this.client = client;
    this.metrics = metrics;
    this.stop = stop;
    state = client.state();
    Thread thread = new Thread(this::run, "ends of " + state.topic());
    thread.setDaemon(true);
    thread.start();
  }

  private void run() {
    for (long round = 1; !isClosed && !stop.isAsked(); round++) {
      try {
        if (round % LOOKS_EVERY == 0) {
          state = client.state();
        }
        long at = Values.micros(Instant.now());
        SortedMap<Integer, Long> ends = client.ends(new TreeSet<>(state.partitions().keySet()));
        synchronized (probes) {
          probes.addLast(new Probe(at, ends));
          if (probes.size() > MOST_KEPT) {
            thin();
          }
        }
        trouble = Optional.empty();
        stop.await(PAUSE);
      } catch (TarnException e) {
        if (!isClosed) {
          trouble = Optional.of(e);
          metrics.trouble(e.getMessage());
          stop.await(PAUSE_AFTER_TROUBLE);
        }
      }
    }
  }

  /** Every second one goes: the job is far behind, and will be far ahead of them at once. */
  private void thin() {
    boolean goes = false;
    for (Iterator<Probe> all = probes.iterator(); all.hasNext(); goes = !goes) {
      all.next();
      if (goes) {
        all.remove();
      }
    }
  }

  /** The topic as it was a second ago at most, where the brokers answer. */
  TopicState state() {
    return state;
  }

  /** The topic as it is now. */
  TopicState look() {
    state = client.state();
    return state;
  }

  /** Why the brokers can't be asked; empty: they answer. */
  Optional<TarnException> trouble() {
    return trouble;
  }

  /** The newest probe's end of a partition; 0: not known. */
  long end(int partition) {
    synchronized (probes) {
      return probes.isEmpty() ? 0 : probes.peekLast().ends().getOrDefault(partition, 0L);
    }
  }

  /**
   * The newest moment at which a partition ended at or before an offset.
   *
   * @return microseconds; 0: not known
   */
  long through(int partition, long next) {
    synchronized (probes) {
      for (Iterator<Probe> newest = probes.descendingIterator(); newest.hasNext(); ) {
        Probe probe = newest.next();
        Long end = probe.ends().get(partition);
        if (end != null && end <= next) {
          return probe.at();
        }
      }
      return 0;
    }
  }

  /** Forgets what is older than the newest probe that all partitions have reached. */
  void reached(long through) {
    synchronized (probes) {
      while (!probes.isEmpty() && probes.peekFirst().at() < through) {
        probes.removeFirst();
      }
    }
  }

  @Override
  public void close() {
    isClosed = true;
    client.close();
  }
}
