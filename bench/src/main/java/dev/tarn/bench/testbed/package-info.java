/**
 * The things that several benchmarks stand on: a Redis and settings of their own, servers as
 * processes, meters. Uses etl and proto, and no other room of the benchmarks.
 */
package dev.tarn.bench.testbed;
