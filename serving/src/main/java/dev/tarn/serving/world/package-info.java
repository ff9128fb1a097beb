/**
 * Knows what is released: it reads the released versions from Redis, watches for releases and
 * describes where a version's rows are. It uses the rooms {@code redis} and {@code ops}, and knows
 * nothing of requests, callers or gRPC.
 */
package dev.tarn.serving.world;
