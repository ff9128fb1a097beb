package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.params.RestoreParams;

class TestPackedHash {

  /** Lengths at which the ways to write a length begin and end. */
  private static final int[] LENGTHS = {
    0, 1, 62, 63, 64, 65, 252, 253, 254, 255, 16_383, 16_384, 70_000
  };

  private static final byte[] KEY = ascii("packed");

  @Test
  void theChecksumIsThatOfRedis() {
    // The check value of CRC-64/Jones, also in Redis's own crc64.c.
    byte[] digits = ascii("123456789");
    assertThat(Crc64.of(digits, 9)).isEqualTo(0xe9c6d914c4b8d9caL);
    assertThat(Crc64.of(digits, 0)).isZero();
    byte[] longer = ascii("This is a test of the emergency broadcast system.");
    long crc = Crc64.of(longer, longer.length);
    longer[20] ^= 1;
    assertThat(Crc64.of(longer, longer.length)).isNotEqualTo(crc);
  }

  @Test
  void idsThatLookLikeNumbersComeBackAsTheyWere() {
    Set<String> ids =
        new LinkedHashSet<>(
            List.of("007", "-0", "-1", "-", "", "00", "+1", "1.0", "1e3", " 1", "1 ", "--1"));
    for (long number = -20; number <= 20; number++) {
      ids.add(Long.toString(number));
    }
    for (int bits = 1; bits < 64; bits++) {
      for (long around = -2; around <= 2; around++) {
        ids.add(Long.toString((1L << bits) + around));
        ids.add(Long.toString(-(1L << bits) + around));
      }
    }
    for (long power = 1; power < 1_000_000_000_000_000_000L; power *= 10) {
      ids.add(Long.toString(power));
      ids.add(Long.toString(-power));
      ids.add(Long.toString(power - 1));
    }
    ids.add(Long.toString(Long.MIN_VALUE));
    ids.add(Long.toString(Long.MAX_VALUE));
    ids.add("9223372036854775808");
    ids.add("123456789012345678901234567890");
    Map<String, byte[]> hash = new TreeMap<>();
    ids.forEach(id -> hash.put(id, ascii("row of " + id)));
    try (Jedis jedis = jedis()) {
      assertTaken(jedis, new PackedHash(), hash);
    }
  }

  @Test
  void idsAndRowsOfEveryLengthComeBackAsTheyWere() {
    Random random = new Random(5);
    Map<String, byte[]> hash = new TreeMap<>();
    for (int idLength : LENGTHS) {
      for (int rowLength : LENGTHS) {
        if (idLength + rowLength < 80_000 && (idLength > 1 || rowLength == 254)) {
          hash.put(text(random, idLength), bytes(random, rowLength));
        }
      }
    }
    try (Jedis jedis = jedis()) {
      assertTaken(jedis, new PackedHash(), hash);
    }
  }

  @Test
  void anyHashComesBackAsItWas() {
    Random random = new Random(20261121);
    PackedHash packed = new PackedHash();
    try (Jedis jedis = jedis()) {
      for (int round = 0; round < 300; round++) {
        Map<String, byte[]> hash = new TreeMap<>();
        int fields = 1 + random.nextInt(round % 10 == 0 ? 2_000 : 60);
        for (int i = 0; i < fields; i++) {
          String id =
              switch (random.nextInt(3)) {
                case 0 -> Long.toString(random.nextLong() >> random.nextInt(64));
                case 1 -> text(random, random.nextInt(20));
                default -> text(random, LENGTHS[random.nextInt(10)]);
              };
          hash.put(id, bytes(random, random.nextInt(4) == 0 ? 300 : random.nextInt(80)));
        }
        assertTaken(jedis, packed, hash);
      }
    }
  }

  @Test
  void theLargestHashIsStillPacked() {
    Map<String, byte[]> hash = new TreeMap<>();
    for (int i = 0; i < PackedHash.MAX_FIELDS; i++) {
      hash.put(Integer.toString(i * 7), bytes(new Random(i), 3));
    }
    try (Jedis jedis = jedis()) {
      // Where the server allows as many; else it unpacks the hash, which costs memory only.
      jedis.configSet("hash-max-ziplist-entries", "20000");
      try {
        assertTaken(jedis, new PackedHash(), hash);
      } finally {
        jedis.configSet("hash-max-ziplist-entries", "512");
      }
    }
  }

  @Test
  void aDamagedPayloadIsRefused() {
    PackedHash packed = new PackedHash();
    packed.add(ascii("1"), ascii("row"));
    byte[] payload = packed.finish();
    payload[payload.length / 2] ^= 4;
    try (Jedis jedis = jedis()) {
      org.assertj.core.api.Assertions.assertThatThrownBy(
              () -> jedis.restore(KEY, 0, payload, RestoreParams.restoreParams().replace()))
          .hasMessageContaining("DUMP payload version or checksum are wrong");
    }
  }

  private static void assertTaken(Jedis jedis, PackedHash packed, Map<String, byte[]> hash) {
    for (Map.Entry<String, byte[]> field : hash.entrySet()) {
      byte[] id = ascii(field.getKey());
      packed.add(id, field.getValue());
    }
    assertThat(packed.fields()).isEqualTo(hash.size());
    byte[] payload = packed.finish();
    jedis.restore(KEY, 60_000, payload, RestoreParams.restoreParams().replace());

    assertThat(jedis.hlen(KEY)).isEqualTo(hash.size());
    Map<String, byte[]> found = new TreeMap<>();
    jedis.hgetAll(KEY).forEach((id, row) -> found.put(latin(id), row));
    assertThat(found.keySet()).isEqualTo(hash.keySet());
    hash.forEach((id, row) -> assertThat(found.get(id)).as(id).isEqualTo(row));
    List<String> some = new ArrayList<>(hash.keySet());
    for (String id : some.subList(0, Math.min(some.size(), 200))) {
      assertThat(jedis.hget(KEY, ascii(id))).as(id).isEqualTo(hash.get(id));
    }
    // RESTORE takes the packed form whatever hash-max-ziplist-value says, not so many entries.
    if (hash.size() <= 512) {
      assertThat(jedis.objectEncoding("packed")).isEqualTo("ziplist");
    }
    jedis.del(KEY);
  }

  private static Jedis jedis() {
    Jedis jedis = new Jedis("127.0.0.1", Workbench.redisPort(), 10_000);
    jedis.select(9);
    return jedis;
  }

  /** Makes a text that may have any byte. */
  private static String text(Random random, int length) {
    return latin(bytes(random, length));
  }

  private static byte[] bytes(Random random, int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static String latin(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }
}
