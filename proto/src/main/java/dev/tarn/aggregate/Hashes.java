package dev.tarn.aggregate;

/** Hashes values. The hashes are stored in states: they never change. */
final class Hashes {

  private static final long C1 = 0x87c37b91114253d5L;
  private static final long C2 = 0x4cf5ad432745937fL;

  private Hashes() {}

  /** A hash of 128 bits. */
  record Wide(long first, long second) {}

  /** A long that has as good as nothing to do with the given one, and is that of no other. */
  static long mix(long value) {
    // SplitMix64: Stafford's variant 13 of the mixer in MurmurHash3.
    long mixed = value + 0x9e3779b97f4a7c15L;
    mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
    return mixed ^ (mixed >>> 31);
  }

  /** MurmurHash3_x64_128 with the seed 0. */
  static Wide of(byte[] bytes) {
    long h1 = 0;
    long h2 = 0;
    int whole = bytes.length & ~15;
    for (int i = 0; i < whole; i += 16) {
      h1 ^= first(word(bytes, i, 8));
      h1 = (Long.rotateLeft(h1, 27) + h2) * 5 + 0x52dce729;
      h2 ^= second(word(bytes, i + 8, 8));
      h2 = (Long.rotateLeft(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    int rest = bytes.length - whole;
    if (rest > 8) {
      h2 ^= second(word(bytes, whole + 8, rest - 8));
    }
    if (rest > 0) {
      h1 ^= first(word(bytes, whole, Math.min(rest, 8)));
    }
    h1 ^= bytes.length;
    h2 ^= bytes.length;
    h1 += h2;
    h2 += h1;
    h1 = end(h1);
    h2 = end(h2);
    h1 += h2;
    h2 += h1;
    return new Wide(h1, h2);
  }

  private static long first(long word) {
    return Long.rotateLeft(word * C1, 31) * C2;
  }

  private static long second(long word) {
    return Long.rotateLeft(word * C2, 33) * C1;
  }

  private static long end(long hash) {
    long mixed = (hash ^ (hash >>> 33)) * 0xff51afd7ed558ccdL;
    mixed = (mixed ^ (mixed >>> 33)) * 0xc4ceb9fe1a85ec53L;
    return mixed ^ (mixed >>> 33);
  }

  private static long word(byte[] bytes, int from, int count) {
    long word = 0;
    for (int i = count - 1; i >= 0; i--) {
      word = (word << 8) | (bytes[from + i] & 0xFF);
    }
    return word;
  }
}
