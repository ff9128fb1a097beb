package dev.tarn.aggregate;

import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StructField;
import java.util.List;

/** A type of each kind, and decimals of several. */
final class Types {

  static final FeatureType BOOLEAN = of(Kind.KIND_BOOLEAN);
  static final FeatureType INT = of(Kind.KIND_INT);
  static final FeatureType BIGINT = of(Kind.KIND_BIGINT);
  static final FeatureType FLOAT = of(Kind.KIND_FLOAT);
  static final FeatureType DOUBLE = of(Kind.KIND_DOUBLE);
  static final FeatureType STRING = of(Kind.KIND_STRING);
  static final FeatureType BINARY = of(Kind.KIND_BINARY);
  static final FeatureType DATE = of(Kind.KIND_DATE);
  static final FeatureType TIMESTAMP = of(Kind.KIND_TIMESTAMP);
  static final FeatureType TIMESTAMP_NTZ = of(Kind.KIND_TIMESTAMP_NTZ);
  static final FeatureType ARRAY = array(STRING);
  static final FeatureType STRUCT =
      FeatureType.newBuilder()
          .setKind(Kind.KIND_STRUCT)
          .addFields(StructField.newBuilder().setName("city").setType(STRING))
          .build();

  static final List<FeatureType> ALL =
      List.of(
          BOOLEAN,
          INT,
          BIGINT,
          FLOAT,
          DOUBLE,
          decimal(10, 2),
          decimal(18, 18),
          decimal(28, 4),
          decimal(29, 0),
          decimal(38, 0),
          decimal(38, 10),
          decimal(38, 38),
          STRING,
          BINARY,
          DATE,
          TIMESTAMP,
          TIMESTAMP_NTZ,
          ARRAY,
          STRUCT);

  private Types() {}

  static FeatureType decimal(int precision, int scale) {
    return FeatureType.newBuilder()
        .setKind(Kind.KIND_DECIMAL)
        .setPrecision(precision)
        .setScale(scale)
        .build();
  }

  static FeatureType array(FeatureType element) {
    return FeatureType.newBuilder().setKind(Kind.KIND_ARRAY).setElement(element).build();
  }

  private static FeatureType of(Kind kind) {
    return FeatureType.newBuilder().setKind(kind).build();
  }
}
