/**
 * The command {@code bench laws}: tries to break the laws of live features with large numbers. Uses
 * the place of live views, and no other benchmark.
 */
package dev.tarn.bench.law;
