package dev.tarn.etl.verify;

import dev.tarn.redis.RedisKeys;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.expressions.XXH64;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Some of the entities, told by the bucket that an entity falls into: so Redis is asked for whole
 * buckets, and no others, and as ids are spread over buckets by a hash, it is a fair choice.
 *
 * @param share of the buckets, over 0 and up to 1
 * @param seed another one chooses others
 * @param buckets that there are
 */
record Sample(double share, long seed, int buckets) implements Serializable {

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
    UDF1<String, Boolean> isChosen =
        id -> has(RedisKeys.bucketOf(id.getBytes(StandardCharsets.UTF_8), buckets));
    UserDefinedFunction udf = functions.udf(isChosen, DataTypes.BooleanType);
    return udf.apply(entityId);
  }
}
