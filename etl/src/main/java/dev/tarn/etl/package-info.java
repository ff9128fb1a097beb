/**
 * The entrance of the jobs: {@code Main} gives each command to its job. It holds nothing else, and
 * no room below may use it.
 */
package dev.tarn.etl;
