package dev.tarn.etl.definition;

import java.time.Duration;

/**
 * The identity of a source's events: of events with one id within the horizon the first counts.
 *
 * @param column the column that has the id
 * @param horizon the longest time between an event and a repetition of it
 */
public record EventId(String column, Duration horizon) {}
