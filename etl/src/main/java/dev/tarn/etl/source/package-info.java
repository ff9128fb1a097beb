/**
 * Sources of feature views as Spark tables, pinned and cut off at an as-of. It may use {@code lake}
 * and the rooms below it.
 */
package dev.tarn.etl.source;
