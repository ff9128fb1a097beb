/**
 * The build of a view: its SQL computes the rows of an as-of, they are written to an audit branch
 * and checked there, and main moves to them. It may use {@code source}, {@code lake} and the rooms
 * below.
 */
package dev.tarn.etl.compute;
