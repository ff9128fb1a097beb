/**
 * The command {@code bench train}: Tarn's training reads beside other ways to join the same tables.
 * Uses the test bed and the rooms of etl.
 */
package dev.tarn.bench.train;
