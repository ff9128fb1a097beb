package dev.tarn.bench.push;

import dev.tarn.bench.testbed.BenchRedis;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.ScanParams;
import redis.clients.jedis.ScanResult;

/**
 * A file with the rows that a push has written, as keys and values for rivals to write one by one.
 */
final class RowFile {

  private final Path path;

  RowFile(Path path) {
    this.path = path;
  }

  Path path() {
    return path;
  }

  /** Copies the rows from Redis: for each the lengths of key and value, the key, the value. */
  void write(BenchRedis server, String view) throws IOException {
    try (Jedis jedis = server.connect();
        DataOutputStream out =
            new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path), 1 << 20))) {
      byte[] cursor = ScanParams.SCAN_POINTER_START_BINARY;
      ScanParams params = new ScanParams().match("tarn:" + view + ":*").count(1_000);
      do {
        ScanResult<byte[]> found = jedis.scan(cursor, params);
        for (byte[] bucket : found.getResult()) {
          for (Map.Entry<byte[], byte[]> row : jedis.hgetAll(bucket).entrySet()) {
            byte[] id = ("tarn:" + view + ":").getBytes(StandardCharsets.UTF_8);
            out.writeInt(id.length + row.getKey().length);
            out.writeInt(row.getValue().length);
            out.write(id);
            out.write(row.getKey());
            out.write(row.getValue());
          }
        }
        cursor = found.getCursorAsBytes();
      } while (!new String(cursor, StandardCharsets.ISO_8859_1).equals("0"));
    }
  }
}
