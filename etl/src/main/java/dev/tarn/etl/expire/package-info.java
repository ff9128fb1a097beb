/**
 * Removal of snapshots, files and versions that nothing needs any more. It may use {@code release},
 * {@code lake} and the rooms below them.
 */
package dev.tarn.etl.expire;
