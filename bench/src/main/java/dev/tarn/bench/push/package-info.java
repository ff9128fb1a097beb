/**
 * The command {@code bench push}: Tarn's writes to Redis beside other ways to write the same rows.
 * Uses the test bed, the programs in {@code process}, and the rooms of etl.
 */
package dev.tarn.bench.push;
