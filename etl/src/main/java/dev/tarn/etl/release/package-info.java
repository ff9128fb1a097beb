/**
 * Versions over time: which were released when, which are kept, and what servers must know of each.
 * It brings Redis and the catalog together, and needs no Spark session.
 */
package dev.tarn.etl.release;
