package dev.tarn.redis;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;

/**
 * Prints and parses version records and services as Redis holds them: proto3 JSON on one line. A
 * person can read it with {@code redis-cli}; a reader of another Tarn version ignores fields that
 * it does not know.
 */
public final class ControlJson {

  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().omittingInsignificantWhitespace();
  private static final JsonFormat.Parser PARSER = JsonFormat.parser().ignoringUnknownFields();

  private ControlJson() {}

  public static String print(Message message) {
    try {
      return PRINTER.print(message);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /**
   * Reads {@code json} into the builder.
   *
   * @throws InvalidProtocolBufferException if it is not JSON of that message
   */
  public static <B extends Message.Builder> B parse(String json, B builder)
      throws InvalidProtocolBufferException {
    PARSER.merge(json, builder);
    return builder;
  }
}
