package dev.tarn.row;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class TestEntityId {

  @Test
  void theIdOfASingleKeyIsItsValueUnchanged() {
    assertThat(EntityId.of(List.of("a|b\\c"))).isEqualTo("a|b\\c");
    assertThat(EntityId.of(List.of(""))).isEmpty();
  }

  @Test
  void severalKeysAreJoinedByABarAndEscaped() {
    assertThat(EntityId.of(List.of("7", "de"))).isEqualTo("7|de");
    assertThat(EntityId.of(List.of("a|b", "c"))).isEqualTo("a\\|b|c");
    assertThat(EntityId.of(List.of("a\\", "b"))).isEqualTo("a\\\\|b");
    assertThat(EntityId.of(List.of("", "", ""))).isEqualTo("||");
    assertThat(EntityId.of(List.of("😀|", "é"))).isEqualTo("😀\\||é");
  }

  @Test
  void barsAndBackslashesInDifferentPlacesGiveDifferentIds() {
    assertThat(
            List.of(
                EntityId.of(List.of("a|b", "c")),
                EntityId.of(List.of("a", "b|c")),
                EntityId.of(List.of("a\\", "b|c")),
                EntityId.of(List.of("a\\|b", "c")),
                EntityId.of(List.of("a", "b\\|c"))))
        .doesNotHaveDuplicates();
  }

  @Test
  void distinctKeysOfOneEntityNeverShareAnId() {
    Random random = new Random(20260101);
    Map<String, List<String>> byId = new HashMap<>();
    int distinct = 0;
    for (int i = 0; i < 200_000; i++) {
      List<String> keys = List.of(text(random), text(random), text(random));
      List<String> before = byId.put(EntityId.of(keys), keys);
      if (before == null) {
        distinct++;
      } else {
        assertThat(keys).isEqualTo(before);
      }
    }
    // Few letters and short texts, so that there is much to collide.
    assertThat(distinct).isGreaterThan(1_000).isLessThan(200_000);
  }

  @Test
  void anIdCanBeTakenApartAgain() {
    Random random = new Random(7);
    for (int i = 0; i < 50_000; i++) {
      List<String> keys = List.of(text(random), text(random));
      assertThat(split(EntityId.of(keys))).isEqualTo(keys);
    }
  }

  private static String text(Random random) {
    StringBuilder text = new StringBuilder();
    for (int length = random.nextInt(4); length > 0; length--) {
      text.append("|\\ab".charAt(random.nextInt(4)));
    }
    return text.toString();
  }

  /** Splits an id as a client would that makes ids by the documented rule. */
  private static List<String> split(String id) {
    List<String> keys = new ArrayList<>();
    StringBuilder key = new StringBuilder();
    for (int i = 0; i < id.length(); i++) {
      char next = id.charAt(i);
      if (next == '\\') {
        i++;
        key.append(id.charAt(i));
      } else if (next == '|') {
        keys.add(key.toString());
        key.setLength(0);
      } else {
        key.append(next);
      }
    }
    keys.add(key.toString());
    return keys;
  }
}
