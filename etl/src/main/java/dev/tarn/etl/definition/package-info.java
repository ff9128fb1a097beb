/**
 * Definitions as the user writes them: entities, sources, feature views, feature services and their
 * checks. Of Spark it uses only types and the parser for them.
 */
package dev.tarn.etl.definition;
