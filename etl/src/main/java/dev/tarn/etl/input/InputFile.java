package dev.tarn.etl.input;

import java.io.Serializable;
import java.util.List;

/**
 * A file to read.
 *
 * @param modified milliseconds since 1970
 * @param partitions the names and values of the folders {@code name=value} that it lies in
 */
public record InputFile(String path, long length, long modified, List<PartitionFolder> partitions)
    implements Serializable {

  /** A folder {@code name=value}. */
  public record PartitionFolder(String name, String value) implements Serializable {

    /** The folder's name where the column has no value, as Hive has it. */
    private static final String NULL = "__HIVE_DEFAULT_PARTITION__";

    boolean isNull() {
      return value.equals(NULL);
    }
  }
}
