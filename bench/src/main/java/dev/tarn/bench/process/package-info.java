/**
 * Programs that benchmarks start in processes of their own, with the class path of the lookup
 * server: rivals and a client. They use Lettuce, grpc-java and proto, but neither etl nor Spark.
 */
package dev.tarn.bench.process;
