/**
 * Applies the transforms of feature services: from stored values to the floats that a model gets,
 * for the server and for training alike. It knows only the generated messages and row.
 */
package dev.tarn.transform;
