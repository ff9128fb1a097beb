/**
 * Runs a Redis and a Kafka broker on this machine for the demos and for development, and processes
 * that end with a command. It uses the console and the settings of Redis, and no other room.
 */
package dev.tarn.etl.local;
