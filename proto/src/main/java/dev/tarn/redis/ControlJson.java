package dev.tarn.redis;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StoredFeature;
import java.util.Set;

/**
 * Prints and parses version records and services as Redis holds them: proto3 JSON on one line. A
 * person can read it with {@code redis-cli}; a reader of another Tarn version ignores fields that
 * it does not know.
 *
 * <p>JSON has no NaN and no infinities. As defaults of floats and doubles they are the texts that
 * proto3 JSON has for them in any other place: {@code "NaN"}, {@code "Infinity"} and {@code
 * "-Infinity"}.
 */
public final class ControlJson {

  private static final JsonFormat.Printer PRINTER =
      JsonFormat.printer().omittingInsignificantWhitespace();
  private static final JsonFormat.Parser PARSER = JsonFormat.parser().ignoringUnknownFields();

  /** The texts of the numbers that JSON does not know. */
  private static final Set<String> TEXTS = Set.of("NaN", "Infinity", "-Infinity");

  private ControlJson() {}

  public static String print(Message message) {
    try {
      Message.Builder printed = message.toBuilder();
      exchangeDefaults(printed, true);
      return PRINTER.print(printed);
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
    exchangeDefaults(builder, false);
    return builder;
  }

  /** Replaces defaults that JSON has no numbers for by their texts, or the texts by the numbers. */
  private static void exchangeDefaults(Message.Builder builder, boolean isForJson) {
    if (builder instanceof StoredFeature.Builder feature) {
      Kind kind = feature.getType().getKind();
      if (feature.hasDefaultValue() && (kind == Kind.KIND_FLOAT || kind == Kind.KIND_DOUBLE)) {
        Value value = feature.getDefaultValue();
        feature.setDefaultValue(isForJson ? text(value) : number(value));
      }
      return;
    }
    for (FieldDescriptor field : builder.getAllFields().keySet()) {
      if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE || field.isMapField()) {
        continue;
      }
      if (!field.isRepeated()) {
        exchangeDefaults(builder.getFieldBuilder(field), isForJson);
        continue;
      }
      for (int i = 0; i < builder.getRepeatedFieldCount(field); i++) {
        exchangeDefaults(builder.getRepeatedFieldBuilder(field, i), isForJson);
      }
    }
  }

  private static Value text(Value value) {
    return value.hasNumberValue() && !Double.isFinite(value.getNumberValue())
        ? Value.newBuilder().setStringValue(Double.toString(value.getNumberValue())).build()
        : value;
  }

  private static Value number(Value value) {
    return value.hasStringValue() && TEXTS.contains(value.getStringValue())
        ? Value.newBuilder().setNumberValue(Double.parseDouble(value.getStringValue())).build()
        : value;
  }
}
