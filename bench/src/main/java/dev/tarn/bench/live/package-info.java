/**
 * The command {@code bench live}: how fresh live features are and how many events a second they
 * take. Uses the place of live views, and no other benchmark.
 */
package dev.tarn.bench.live;
