/**
 * Joins features to the rows of a spine, by event time or as they were released, and writes
 * training sets that can be made again. It may use every room below the steps, but no job.
 */
package dev.tarn.etl.train;
