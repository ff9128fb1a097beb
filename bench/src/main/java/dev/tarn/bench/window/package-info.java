/**
 * The command {@code bench windows}: Tarn's windows over events beside what Spark SQL offers for
 * the same. Uses the test bed and the rooms of etl.
 */
package dev.tarn.bench.window;
