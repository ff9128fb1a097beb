/**
 * Lookups answered from a snapshot in Iceberg, for the comparison with the online answer. It may
 * use {@code release} and the rooms below it.
 */
package dev.tarn.etl.read;
