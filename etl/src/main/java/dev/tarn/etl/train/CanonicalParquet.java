package dev.tarn.etl.train;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.IOUtils;
import org.apache.parquet.format.ColumnChunk;
import org.apache.parquet.format.FileMetaData;
import org.apache.parquet.format.KeyValue;
import org.apache.parquet.format.RowGroup;
import org.apache.parquet.format.Util;

/**
 * Copies a Parquet file so that the same rows make the same bytes in every process. Parquet's
 * writer lists the encodings of a column in its footer in the order of a hash set of objects, which
 * differs from one process to the next; in the copy they are in the order of their numbers. All
 * else is deterministic already.
 *
 * @see <a href="https://parquet.apache.org/docs/file-format/">the layout of a file</a>
 */
final class CanonicalParquet {

  /** Number of bytes after the footer: its length, little-endian, and {@code PAR1}. */
  private static final int TAIL = 8;

  private CanonicalParquet() {}

  /**
   * Copies a file.
   *
   * @param more to say in the footer beside what is there, by key
   */
  static void copy(Path from, Path to, Map<String, String> more, Configuration configuration)
      throws IOException {
    FileSystem files = from.getFileSystem(configuration);
    long length = files.getFileStatus(from).getLen();
    try (FSDataInputStream in = files.open(from);
        FSDataOutputStream out = files.create(to, true)) {
      ByteBuffer tail = ByteBuffer.allocate(TAIL).order(ByteOrder.LITTLE_ENDIAN);
      in.readFully(length - TAIL, tail.array());
      byte[] footer = new byte[tail.getInt(0)];
      long data = length - TAIL - footer.length;
      in.readFully(data, footer);

      IOUtils.copyBytes(in, out, data, false);
      byte[] sorted = sorted(footer, more);
      out.write(sorted);
      out.write(tail.putInt(0, sorted.length).array());
    }
  }

  private static byte[] sorted(byte[] footer, Map<String, String> more) throws IOException {
    FileMetaData metadata = Util.readFileMetaData(new ByteArrayInputStream(footer));
    more.forEach(
        (key, value) -> metadata.addToKey_value_metadata(new KeyValue(key).setValue(value)));
    for (RowGroup group : metadata.getRow_groups()) {
      for (ColumnChunk column : group.getColumns()) {
        column.getMeta_data().getEncodings().sort(null);
      }
    }
    ByteArrayOutputStream sorted = new ByteArrayOutputStream(footer.length);
    Util.writeFileMetaData(metadata, sorted);
    return sorted.toByteArray();
  }
}
