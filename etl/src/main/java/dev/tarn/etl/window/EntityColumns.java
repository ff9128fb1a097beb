package dev.tarn.etl.window;

import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/**
 * The columns by which rows of a spine, of a view and of events find each other: the entity's keys,
 * with the entity's types, and the moment.
 */
public final class EntityColumns {

  /** Prefix of the names that are not the user's. */
  public static final String PREFIX = "_tarn_";

  /** The moment of a row, microseconds since 1970. */
  public static final String MICROS = PREFIX + "micros";

  private static final String KEY = PREFIX + "key";

  private EntityColumns() {}

  /** The names of an entity's keys: {@code _tarn_key0}, … */
  public static List<String> keyNames(int keys) {
    return IntStream.range(0, keys).mapToObj(i -> KEY + i).toList();
  }

  /** The entity's keys, e.g. to divide rows by. */
  public static Column[] keys(int keys) {
    return keyNames(keys).stream().map(functions::col).toArray(Column[]::new);
  }
}
