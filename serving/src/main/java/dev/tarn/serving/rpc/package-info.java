/**
 * Offers lookups as gRPC services: it takes calls, sends answers and turns failures into statuses.
 * It stands above all rooms that lookups need, and only the root package uses it.
 */
package dev.tarn.serving.rpc;
