/**
 * Files found by their path, and text read as values: what sources and spines share. It may use
 * {@code lake} and the rooms below it.
 */
package dev.tarn.etl.input;
