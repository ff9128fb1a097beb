/** Makes up the events of the demos. It uses nothing but Spark and Kafka's client. */
package dev.tarn.etl.demo;
