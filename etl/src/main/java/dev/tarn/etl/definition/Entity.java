package dev.tarn.etl.definition;

import java.util.List;
import java.util.Set;
import org.apache.spark.sql.types.DataType;

/**
 * A kind of thing that features describe, e.g. a user.
 *
 * @param keys the columns that tell one entity from another, in the order in which an entity id is
 *     made of them
 */
public record Entity(
    String name, List<KeyColumn> keys, String description, String owner, Position position) {

  /** One key column; its type is string, int, bigint or date. */
  public record KeyColumn(String name, DataType type) {

    /** Pairs of types, as text: a key of the first may be widened to the second. */
    private static final Set<String> WIDENINGS =
        Set.of("tinyint int", "smallint int", "tinyint bigint", "smallint bigint", "int bigint");

    /** Tells whether keys of a type stand for keys of this one: all of them, and no two alike. */
    public boolean takes(DataType given) {
      return SparkTypes.same(given, type)
          || WIDENINGS.contains(given.simpleString() + " " + type.simpleString());
    }
  }

  /** Stands in for an entity that is not defined, so that the rest of its view is checked. */
  static Entity unknown(Position position) {
    return new Entity("", List.of(), "", "", position);
  }

  boolean isUnknown() {
    return name.isEmpty();
  }

  public List<String> keyNames() {
    return keys.stream().map(KeyColumn::name).toList();
  }
}
