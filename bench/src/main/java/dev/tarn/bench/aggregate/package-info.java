/**
 * Measures aggregates in the small: adding, merging and results by JMH, and the bytes of states. It
 * needs neither Spark nor a server.
 */
package dev.tarn.bench.aggregate;
