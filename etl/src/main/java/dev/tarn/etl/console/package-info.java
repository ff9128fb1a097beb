/**
 * What jobs say to people and schedulers, and how they read what people type. Every room may use
 * it, and it uses none.
 */
package dev.tarn.etl.console;
