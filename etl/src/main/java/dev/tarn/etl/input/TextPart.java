package dev.tarn.etl.input;

import java.util.List;
import org.apache.spark.sql.connector.read.InputPartition;

/**
 * What one task reads: whole files, or a part of one.
 *
 * @param slices in the order in which they are read
 */
record TextPart(List<Slice> slices) implements InputPartition {

  /**
   * A part of a file. It has the records that begin in it.
   *
   * @param from the first byte; where it is not 0, the byte after a line break that is in no quotes
   * @param to the byte after the last one
   * @param line the line at {@code from}, from 1
   */
  record Slice(InputFile file, long from, long to, long line) implements java.io.Serializable {

    static Slice of(InputFile file) {
      return new Slice(file, 0, Long.MAX_VALUE, 1);
    }

    long length() {
      return Math.min(to, file.length()) - from;
    }
  }

  long length() {
    return slices.stream().mapToLong(Slice::length).sum();
  }
}
