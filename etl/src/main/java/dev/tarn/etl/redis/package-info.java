/**
 * Redis as writers see it: its servers, many commands on the way at once, and the protocol of
 * versions and releases ({@link dev.tarn.etl.redis.VersionStore}). The keys and what is stored
 * under them are in {@code dev.tarn.redis}, which the server shares.
 */
package dev.tarn.etl.redis;
