package dev.tarn.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestRelease {

  @Test
  void aReleaseReadsBackFromItsText() {
    Release release = new Release("v12", Instant.parse("2026-01-02T03:04:05.006Z"));
    assertThat(release.format()).isEqualTo("v12@1767323045006");
    assertThat(Release.parse(release.format())).isEqualTo(release);
  }

  @Test
  void aVersionMayHaveAnAtSignItself() {
    Release release = new Release("a@b", Instant.ofEpochMilli(-1));
    assertThat(Release.parse(release.format())).isEqualTo(release);
  }

  @Test
  void otherTextIsRefused() {
    for (String text : List.of("", "v1", "@5")) {
      assertThatThrownBy(() -> Release.parse(text))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("'%s' is not VERSION@EPOCH_MILLIS", text);
    }
    assertThatThrownBy(() -> Release.parse("v1@soon"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("'v1@soon' is not VERSION@EPOCH_MILLIS");
  }
}
