package dev.tarn.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestProgress {

  @Test
  void whatIsWrittenIsRead() {
    Progress progress = new Progress(4096, 5000, 1_700_000_000_000_000L);

    assertThat(progress.format()).isEqualTo("4096 5000 1700000000000000");
    assertThat(Progress.parse(Map.of("3", progress.format(), "0", "0 0 -1")))
        .isEqualTo(Map.of(3, progress, 0, new Progress(0, 0, -1)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1 2", "1 2 3 4", "1  2", "a 2 3", "1 -2 3", "-1 2 3", " 1 2 3"})
  void anythingElseIsRefused(String text) {
    assertThatThrownBy(() -> Progress.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("'%s' is not FROM NEXT THROUGH".formatted(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "-1", "1048576"})
  void aFieldThatIsNoPartitionIsRefused(String field) {
    assertThatThrownBy(() -> Progress.parse(Map.of(field, "0 0 0")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("'%s' is no partition".formatted(field));
  }
}
