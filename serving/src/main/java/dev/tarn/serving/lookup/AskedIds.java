package dev.tarn.serving.lookup;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The entity ids of a request. A request may have an id several times. */
final class AskedIds {

  private final List<AskedId> distinct;
  private final int[] places;

  AskedIds(List<AskedId> distinct, int[] places) {
    this.distinct = distinct;
    this.places = places;
  }

  /**
   * Checks the ids and drops repetitions.
   *
   * @throws LookupRefusedException INVALID if there are none or too many, or one is empty or too
   *     long
   */
  static AskedIds of(List<String> asked, LookupSettings limits) {
    if (asked.isEmpty()) {
      throw LookupRefusedException.invalid(
          "entity_ids", "is empty: ask for 1 to %d".formatted(limits.maxEntities()));
    }
    if (asked.size() > limits.maxEntities()) {
      throw LookupRefusedException.invalid(
          "entity_ids",
          "has %d ids and the server answers %d at the most (serving.max-entities)"
              .formatted(asked.size(), limits.maxEntities()));
    }
    List<AskedId> distinct = new ArrayList<>(asked.size());
    int[] places = new int[asked.size()];
    Map<String, Integer> placeById = new HashMap<>(asked.size() * 2);
    for (int i = 0; i < places.length; i++) {
      String id = asked.get(i);
      Integer place = placeById.putIfAbsent(id, distinct.size());
      if (place == null) {
        places[i] = distinct.size();
        distinct.add(new AskedId(id, checked(id, i, limits)));
      } else {
        places[i] = place;
      }
    }
    return new AskedIds(distinct, places);
  }

  /** Returns the ids, each once, in the order in which they first come. */
  List<AskedId> distinct() {
    return distinct;
  }

  /** Returns for each id of the request its index among the distinct ones. */
  int[] places() {
    return places;
  }

  private static byte[] checked(String id, int index, LookupSettings limits) {
    byte[] utf8 = id.getBytes(StandardCharsets.UTF_8);
    if (utf8.length == 0) {
      throw LookupRefusedException.invalid("entity_ids[%d]".formatted(index), "is empty");
    }
    if (utf8.length > limits.maxIdBytes()) {
      throw LookupRefusedException.invalid(
          "entity_ids[%d]".formatted(index),
          "has %d bytes and the server takes %d at the most (serving.max-id-bytes)"
              .formatted(utf8.length, limits.maxIdBytes()));
    }
    return utf8;
  }
}
