/**
 * The bases of live views: the cells of all events before a cut, in a table of their own. It may
 * use {@code window} and the rooms below it.
 */
package dev.tarn.etl.base;
