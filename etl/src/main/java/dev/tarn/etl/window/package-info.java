/**
 * Windows over events, computed in Spark at as-ofs or at the moments of other rows. Events are
 * divided by entity, sorted by time and read once. It may use {@code source} and the rooms below
 * it.
 */
package dev.tarn.etl.window;
