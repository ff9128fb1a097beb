/**
 * What benchmarks of live views stand on: a broker with made-up payments, the views over them, the
 * live job and servers as processes, clients that ask for stamps, and what the right answer is.
 * Uses the test bed, and no benchmark.
 */
package dev.tarn.bench.stream;
