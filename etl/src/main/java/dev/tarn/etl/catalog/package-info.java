/**
 * The Iceberg catalog without Spark: feature tables with their snapshots, branches, schemas and
 * as-ofs, what file statistics tell, and the ledgers. It may use {@code definition} and {@code
 * console}, but neither Spark nor Redis.
 */
package dev.tarn.etl.catalog;
