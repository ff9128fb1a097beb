/**
 * The command {@code bench lookup}: Tarn's server beside rivals under the same load. Uses the test
 * bed, the programs in {@code process}, and the rooms of etl that fill Redis.
 */
package dev.tarn.bench.lookup;
