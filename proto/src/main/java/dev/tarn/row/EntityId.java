package dev.tarn.row;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The one string that stands for an entity in requests and in Redis.
 *
 * <p>An entity with one key column has that key's value as its id, unchanged. With several, the
 * values are joined by {@code |} in the order of the definition; {@code \} and {@code |} within a
 * value are preceded by {@code \}. So {@code ("a|b", "c")} is {@code a\|b|c} and no two entities
 * share an id.
 */
public final class EntityId {

  private EntityId() {}

  /** The id of an entity from the text of its key values. */
  public static String of(List<String> keyValues) {
    if (keyValues.size() == 1) {
      return keyValues.get(0);
    }
    StringBuilder id = new StringBuilder();
    for (int i = 0; i < keyValues.size(); i++) {
      if (i > 0) {
        id.append('|');
      }
      String value = keyValues.get(i);
      for (int c = 0; c < value.length(); c++) {
        char next = value.charAt(c);
        if (next == '|' || next == '\\') {
          id.append('\\');
        }
        id.append(next);
      }
    }
    return id.toString();
  }

  /** The texts of the key values that an id was made from; empty if it is none of so many keys. */
  public static Optional<List<String>> split(String id, int keys) {
    if (keys == 1) {
      return Optional.of(List.of(id));
    }
    List<String> values = new ArrayList<>();
    StringBuilder value = new StringBuilder();
    for (int i = 0; i < id.length(); i++) {
      char next = id.charAt(i);
      if (next == '|') {
        values.add(value.toString());
        value.setLength(0);
      } else {
        value.append(next == '\\' && i + 1 < id.length() ? id.charAt(++i) : next);
      }
    }
    values.add(value.toString());
    return values.size() == keys && of(values).equals(id) ? Optional.of(values) : Optional.empty();
  }
}
