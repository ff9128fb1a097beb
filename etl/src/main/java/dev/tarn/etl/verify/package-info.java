/**
 * Compares versions in Redis with the snapshots that they were made of, and reports what differs
 * and how the values are distributed. It may use every room below the steps, but no job.
 */
package dev.tarn.etl.verify;
