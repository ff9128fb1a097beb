/**
 * Talks to people and schedulers, and reads what people type. Every room may use it, and it uses
 * none.
 */
package dev.tarn.etl.console;
