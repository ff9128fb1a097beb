/**
 * Answers requests: it finds what a request asks for, fetches the rows in one round trip, and
 * writes the answer. It uses the rooms {@code world} for what is released, {@code live} for live
 * views, {@code redis} for rows, {@code access} for the caller and {@code ops} for metrics; it
 * knows nothing of gRPC services.
 */
package dev.tarn.serving.lookup;
