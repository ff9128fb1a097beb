package dev.tarn.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Checks that a file that people write is text, before a reader replaces what it can't decode. */
public final class Utf8File {

  private Utf8File() {}

  /**
   * Reads a file and throws the text away. A file that can't be read is left to its reader.
   *
   * @throws UsageException if it is not UTF-8; the message has file and line
   */
  public static void require(Path file) {
    ByteBuffer bytes;
    try {
      bytes = ByteBuffer.wrap(Files.readAllBytes(file));
    } catch (IOException e) {
      return;
    }
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    CharBuffer text = CharBuffer.allocate(bytes.remaining() + 1);
    if (decoder.decode(bytes, text, true).isError()) {
      long line = text.flip().chars().filter(c -> c == '\n').count() + 1;
      throw new UsageException(
          "%s:%d: this is not UTF-8; save the file as UTF-8".formatted(file, line));
    }
  }
}
