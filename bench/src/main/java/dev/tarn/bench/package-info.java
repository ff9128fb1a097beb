/**
 * Benchmarks and the campaign of faults, which {@code ./tarn bench} runs. Nothing that is shipped
 * imports them. This room only gives each command to its job; it may use all the others.
 */
package dev.tarn.bench;
