/**
 * Fits the transforms of feature services on snapshots or on the rows of a spine. It may use train,
 * which joins that spine, and every room below the steps, but no job.
 */
package dev.tarn.etl.fit;
