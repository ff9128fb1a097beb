/**
 * Copies of events from Kafka's topics to their event tables, exactly once. It may use {@code
 * input}, {@code lake} and the rooms below them.
 */
package dev.tarn.etl.archive;
