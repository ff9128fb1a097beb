/**
 * Copies snapshots of feature tables to Redis as versions and releases them. {@link
 * dev.tarn.etl.push.Push} reads as the description of a push; each class beside it does one of its
 * steps. It may use every room below the steps, but no other step and no job.
 */
package dev.tarn.etl.push;
