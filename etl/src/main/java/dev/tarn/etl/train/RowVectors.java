package dev.tarn.etl.train;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredService;
import dev.tarn.redis.ControlJson;
import dev.tarn.transform.Vectorizer;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/** Makes a feature service's vector of a row with the server's own {@link Vectorizer}. */
public final class RowVectors implements UDF1<Row, byte[]> {

  private static final long serialVersionUID = 1L;

  private final StoredService service;
  private final ArrayList<FeatureType> types;
  private transient volatile Vectorizer vectorizer;

  private RowVectors(StoredService service, List<FeatureType> types) {
    this.service = service;
    this.types = new ArrayList<>(types);
  }

  /**
   * The vectors: float32, little-endian.
   *
   * @param defined with fitted transforms
   * @param types of the service's features, in its order
   * @param values a struct of them, null where one is absent
   * @throws dev.tarn.transform.TransformException if the service has no vectors
   */
  public static Column of(StoredService defined, List<FeatureType> types, Column values) {
    StoredService service = asServersReadIt(defined);
    Vectorizer.of(service, types);
    return functions.udf(new RowVectors(service, types), DataTypes.BinaryType).apply(values);
  }

  @Override
  public byte[] call(Row values) {
    if (vectorizer == null) {
      vectorizer = Vectorizer.of(service, types);
    }
    float[] vector = new float[vectorizer.width()];
    vectorizer.clear(vector);
    for (int i = 0; i < types.size(); i++) {
      if (!values.isNullAt(i)) {
        put(vectorizer, i, values.get(i), vector);
      }
    }
    byte[] bytes = new byte[vector.length * Vectorizer.FLOAT_BYTES];
    Vectorizer.write(vector, bytes, 0);
    return bytes;
  }

  private static void put(Vectorizer vectorizer, int feature, Object value, float[] vector) {
    if (vectorizer.takesCategories(feature)) {
      vectorizer.putCategory(feature, value.toString(), vector);
    } else {
      vectorizer.putNumber(feature, number(value), vector);
    }
  }

  /**
   * The service as servers read it from JSON, which has no -0.0: such a parameter is another one
   * online.
   */
  private static StoredService asServersReadIt(StoredService service) {
    try {
      return ControlJson.parse(ControlJson.print(service), StoredService.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  private static double number(Object value) {
    if (value instanceof Boolean bool) {
      return bool ? 1 : 0;
    }
    return value instanceof BigDecimal decimal
        ? decimal.doubleValue()
        : ((Number) value).doubleValue();
  }
}
