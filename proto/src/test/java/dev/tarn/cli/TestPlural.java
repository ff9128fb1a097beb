package dev.tarn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TestPlural {

  @Test
  void oneThingIsNotOneThings() {
    assertThat(Plural.of(1, "entity")).isEqualTo("1 entity");
    assertThat(Plural.of(0, "entity")).isEqualTo("0 entities");
    assertThat(Plural.of(12_345, "entity")).isEqualTo("12,345 entities");
    assertThat(Plural.of(2, "feature view")).isEqualTo("2 feature views");
    assertThat(Plural.of(2, "day")).isEqualTo("2 days");
    assertThat(Plural.of(2, "as-of")).isEqualTo("2 as-ofs");
    assertThat(Plural.of(2, "branch")).isEqualTo("2 branches");
    assertThat(Plural.of(2, "suffix")).isEqualTo("2 suffixes");
  }

  @Test
  void theVerbFollowsTheNumber() {
    assertThat(Plural.choose(1, "is", "are")).isEqualTo("is");
    assertThat(Plural.choose(0, "is", "are")).isEqualTo("are");
    assertThat(Plural.choose(2, "is", "are")).isEqualTo("are");
  }
}
