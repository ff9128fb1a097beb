package dev.tarn.etl.definition;

import java.util.List;
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
  public record KeyColumn(String name, DataType type) {}

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
