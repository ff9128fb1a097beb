/**
 * Talks to Redis: connects to a single server or a cluster, sends commands in bundles and reads
 * their answers on the network threads. It uses no other room and knows nothing of versions or
 * gRPC.
 */
package dev.tarn.serving.redis;
