/**
 * Runs a Redis on this machine for the demo and for development. It uses the console and the
 * settings of Redis, and no other room.
 */
package dev.tarn.etl.local;
