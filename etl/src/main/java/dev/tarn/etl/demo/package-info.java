/** Makes up the events of the demo. It uses nothing but Spark. */
package dev.tarn.etl.demo;
