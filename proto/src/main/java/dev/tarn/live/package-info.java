/**
 * Cells of live views: what is known of an entity's events, in the base of a version and in the
 * live cells beside it, and how both become the features at a moment. The live job, pushes and the
 * server share it. It knows aggregates, rows and keys, and neither Kafka nor Spark nor a server.
 *
 * <p>Membership is by offset, the window is by event time. A base has the events before its cut;
 * live cells have those from the cut of the oldest kept base on, so that every kept base can be
 * merged with them.
 */
package dev.tarn.live;
