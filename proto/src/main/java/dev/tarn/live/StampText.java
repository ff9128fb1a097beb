package dev.tarn.live;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.cli.UsageException;
import dev.tarn.manifest.BatchStamp;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Optional;
import java.util.stream.Stream;

/** Reads stamps that clients have written down: their bytes, or a text of them. */
public final class StampText {

  private StampText() {}

  /**
   * A stamp from its text: base64, base64url or hexadecimal digits.
   *
   * @throws UsageException if it is none
   */
  public static Stamp parse(String text) {
    String given = text.strip();
    return Stream.of(hex(given), base64(given))
        .flatMap(Optional::stream)
        .flatMap(bytes -> read(bytes).stream())
        .findFirst()
        .orElseThrow(
            () ->
                new UsageException(
                    "stamp=%s is no stamp: give the bytes of FeatureSet.stamp as base64url or hex text"
                        .formatted(given.length() > 80 ? given.substring(0, 80) + "…" : given)));
  }

  /** A stamp from its bytes; empty if they are none. */
  public static Optional<Stamp> read(byte[] bytes) {
    try {
      Stamp stamp = Stamp.parseFrom(bytes);
      boolean isStamp =
          stamp.getMicros() > 0
              && stamp.getUnknownFields().asMap().isEmpty()
              && stamp.getLiveCount() + stamp.getBatchCount() > 0
              && Stream.concat(
                      stamp.getLiveList().stream().map(LiveStamp::getFeatureView),
                      stamp.getBatchList().stream().map(BatchStamp::getFeatureView))
                  .noneMatch(String::isEmpty);
      return isStamp ? Optional.of(stamp) : Optional.empty();
    } catch (InvalidProtocolBufferException e) {
      return Optional.empty();
    }
  }

  private static Optional<byte[]> hex(String text) {
    try {
      return Optional.of(HexFormat.of().parseHex(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static Optional<byte[]> base64(String text) {
    try {
      return Optional.of(Base64.getUrlDecoder().decode(text.replace('+', '-').replace('/', '_')));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }
}
