package dev.tarn.serving.lookup;

/** An entity id of a request, with its bytes as Redis has them. */
final class AskedId {

  private final String text;
  private final byte[] utf8;

  AskedId(String text, byte[] utf8) {
    this.text = text;
    this.utf8 = utf8;
  }

  String text() {
    return text;
  }

  byte[] utf8() {
    return utf8;
  }
}
