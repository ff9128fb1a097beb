package dev.tarn.etl.verify;

import dev.tarn.layer.Buckets;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * A sample of entities, chosen by their buckets. So Redis is asked only for whole buckets. The
 * sample is fair, since a hash spreads ids over buckets.
 *
 * @param share of the buckets, over 0 and up to 1
 * @param seed another one chooses others
 * @param buckets of the version's base
 */
record Sample(double share, long seed, Buckets buckets) implements Serializable {

  boolean isAll() {
    return share == 1;
  }

  boolean has(int bucket) {
    return isAll() || (XXH64.hashInt(bucket, seed) >>> 11) * 0x1p-53 < share;
  }

  /** Whether a row's entity is one of them. */
  Column has(Column entityId) {
    if (isAll()) {
      return functions.lit(true);
    }
    UDF1<String, Boolean> isChosen = id -> has(buckets.of(id.getBytes(StandardCharsets.UTF_8)));
    UserDefinedFunction udf = functions.udf(isChosen, DataTypes.BooleanType);
    return udf.apply(entityId);
  }
}
