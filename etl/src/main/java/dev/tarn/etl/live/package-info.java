/**
 * The live job: it follows the topics of live views and keeps their cells in Redis. Kafka's
 * consumer groups divide the partitions among processes; how far a partition is, Redis says. It may
 * use {@code archive}, {@code window} and the rooms below them.
 */
package dev.tarn.etl.live;
