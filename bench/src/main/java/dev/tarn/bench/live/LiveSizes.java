package dev.tarn.bench.live;

import dev.tarn.cli.CommandLine;

/**
 * The sizes of a run.
 *
 * @param entities that have events
 * @param events to catch up with after a stop
 * @param seconds of each measurement at a rate
 * @param rate events a second of the first measurement
 * @param fasterRate of the second, and of the one entity that has them all
 * @param hasRival whether Spark does the same
 */
record LiveSizes(
    int entities, int events, int seconds, int rate, int fasterRate, boolean hasRival) {

  /** Three events in the base and three live ones for each entity, as a figure says. */
  static final int EVENTS_OF_ENTITY = 3;

  static LiveSizes of(CommandLine line) {
    return new LiveSizes(
        (int) line.number("entities", 100, 100_000),
        (int) line.number("events", 1_000, 1_000_000),
        (int) line.number("seconds", 1, 20),
        (int) line.number("rate", 10, 2_000),
        (int) line.number("faster-rate", 10, 10_000),
        !line.optional("rivals").orElse("true").equals("false"));
  }
}
