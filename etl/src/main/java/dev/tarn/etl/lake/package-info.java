/**
 * The Spark session over the lake, and rows of feature tables as Spark reads them. It may use
 * {@code redis} and the rooms below it. Commands that read no rows open the catalog alone.
 */
package dev.tarn.etl.lake;
