/**
 * Aggregates of events that are free of order: whatever the order and grouping in which events are
 * added and states merged, a state's bytes and its result's bits are the same. Spark jobs and
 * servers share them. It knows only the generated messages and row.
 */
package dev.tarn.aggregate;
