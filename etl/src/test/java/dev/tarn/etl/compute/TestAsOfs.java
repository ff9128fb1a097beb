package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.UsageException;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestAsOfs {

  private static final Instant NOW = Instant.parse("2026-11-30T12:00:00Z");

  @ParameterizedTest
  @CsvSource(
      textBlock =
          """
          2026-01-01, 2026-04-01, 1mo, 2026-01-01 2026-02-01 2026-03-01 2026-04-01
          2026-01-31, 2026-05-30, 1mo, 2026-01-31 2026-02-28 2026-03-31 2026-04-30
          2024-01-30, 2024-04-30, 1mo, 2024-01-30 2024-02-29 2024-03-30 2024-04-30
          2025-11-30, 2026-06-01, 3mo, 2025-11-30 2026-02-28 2026-05-30
          2026-02-28, 2026-04-28, 1mo, 2026-02-28 2026-03-28 2026-04-28
          2024-02-29, 2026-11-01, 1y, 2024-02-29 2025-02-28 2026-02-28
          2016-02-29, 2024-12-31, 4y, 2016-02-29 2020-02-29 2024-02-29
          2025-12-29, 2026-01-12, 1w, 2025-12-29 2026-01-05 2026-01-12
          2026-01-01, 2026-02-01, 2w, 2026-01-01 2026-01-15 2026-01-29
          2026-03-28, 2026-03-30, 1d, 2026-03-28 2026-03-29 2026-03-30
          2026-03-28, 2026-04-02, 48h, 2026-03-28 2026-03-30 2026-04-01
          2026-01-31, 2026-02-27, 1mo, 2026-01-31
          """)
  void aRangeIsStepsFromItsBeginning(String from, String to, String every, String expected) {
    List<Instant> wanted =
        List.of(expected.split(" ")).stream()
            .map(day -> Instant.parse(day + "T00:00:00Z"))
            .toList();
    assertThat(asOfs(from, to, every)).isEqualTo(wanted);
  }

  @Test
  void theTimeOfDayStays() {
    assertThat(asOfs("2026-01-31T06:30:00+09:00", "2026-03-31", "1mo"))
        .containsExactly(
            Instant.parse("2026-01-30T21:30:00Z"),
            Instant.parse("2026-02-28T21:30:00Z"),
            Instant.parse("2026-03-30T21:30:00Z"));
  }

  @Test
  void whatIsNoStepIsRefused() {
    for (String wrong : List.of("1M", "0mo", "mo", "1.5mo", "-1w", "1 mo", "1month", "monthly")) {
      assertThatThrownBy(() -> asOfs("2026-01-01", "2026-02-01", wrong))
          .isInstanceOf(UsageException.class)
          .hasMessage(
              "every=%s is not a step: write 30m (minutes), 6h, 1d, 1w, 1mo (a month) or 1y",
              wrong);
    }
  }

  private static List<Instant> asOfs(String from, String to, String every) {
    CommandLine line =
        CommandLine.parse("build", "view=v", "from=" + from, "to=" + to, "every=" + every)
            .orElseThrow();
    return AsOfs.of(line, NOW);
  }
}
