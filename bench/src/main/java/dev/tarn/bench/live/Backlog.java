package dev.tarn.bench.live;

import dev.tarn.bench.stream.LivePlace;
import java.util.Arrays;

/**
 * How fast a backlog was applied.
 *
 * @param began when the first of it was, by {@link System#nanoTime}
 */
record Backlog(double perSecond, long began) {

  /**
   * Watches the progress of a view until it is at the end of the topic, to which nobody sends.
   *
   * @param check is asked again and again, and throws if there is nothing to wait for
   */
  static Backlog watch(LivePlace place, String view, Runnable check, long seconds) {
    long end = Arrays.stream(place.topic().ends()).sum();
    long start = Arrays.stream(place.progress(view)).sum();
    long from = System.nanoTime();
    long[] began = {0};
    LivePlace.await(
        "the end of the topic was not reached",
        seconds,
        () -> {
          check.run();
          long now = Arrays.stream(place.progress(view)).sum();
          if (now > start && began[0] == 0) {
            began[0] = System.nanoTime();
          }
          return now >= end;
        });
    long done = System.nanoTime();
    // One step for all: then the time before it counts.
    long first = done - began[0] < 50_000_000 ? from : began[0];
    return new Backlog((end - start) * 1e9 / (done - first), began[0]);
  }
}
