package dev.tarn.row;

import dev.tarn.manifest.FeatureType;
import java.util.stream.Collectors;

/** Names the types that Tarn supports as Spark SQL writes them. */
public final class FeatureTypes {

  private FeatureTypes() {}

  /**
   * Names a type, e.g. {@code decimal(10,2)}, {@code array<string>} or {@code
   * struct<city:string,lat:double>}.
   */
  public static String name(FeatureType type) {
    return switch (type.getKind()) {
      case KIND_DECIMAL -> "decimal(%d,%d)".formatted(type.getPrecision(), type.getScale());
      case KIND_ARRAY -> "array<%s>".formatted(name(type.getElement()));
      case KIND_STRUCT ->
          type.getFieldsList().stream()
              .map(field -> field.getName() + ":" + name(field.getType()))
              .collect(Collectors.joining(",", "struct<", ">"));
      default ->
          type.getKind().name().substring("KIND_".length()).toLowerCase(java.util.Locale.ROOT);
    };
  }
}
