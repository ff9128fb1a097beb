package dev.tarn.etl.lake;

import dev.tarn.etl.definition.Entity;
import dev.tarn.row.EntityId;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import scala.collection.JavaConverters;
import scala.collection.mutable.WrappedArray;

/** Makes columns with entity ids, as {@link EntityId} defines them. */
public final class EntityIds {

  private EntityIds() {}

  /** The entity id of each row. */
  public static Column of(Entity entity) {
    Column[] keys =
        entity.keyNames().stream()
            .map(key -> functions.col("`" + key + "`").cast("string"))
            .toArray(Column[]::new);
    if (keys.length == 1) {
      // The id of a single key is its text, so Spark's own cast does.
      return keys[0];
    }
    UDF1<WrappedArray<String>, String> join =
        values -> EntityId.of(JavaConverters.seqAsJavaList(values));
    UserDefinedFunction udf = functions.udf(join, DataTypes.StringType);
    return udf.apply(functions.array(keys));
  }

  /**
   * A condition that holds for the rows of some entities. Where the entity has one key, Iceberg can
   * skip files by it.
   */
  public static Column isOneOf(Entity entity, List<String> ids) {
    Column given = of(entity).isin(ids.toArray());
    if (entity.keys().size() > 1) {
      return given;
    }
    Column key = functions.col("`" + entity.keyNames().get(0) + "`");
    Object[] values =
        ids.stream().map(id -> functions.lit(id).cast(entity.keys().get(0).type())).toArray();
    // An id that is no number can be no bigint key: it casts to null, which is in nothing.
    return given.and(key.isin(Arrays.copyOf(values, values.length)));
  }
}
