package dev.tarn.etl.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import java.time.Duration;
import java.time.Instant;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class TestAsOfSeries {

  private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void asOfsAtEqualDistancesAreOneRunInWhateverOrderTheyCome() {
    AsOfSeries days = AsOfSeries.EMPTY;
    for (int day : new int[] {3, 0, 1, 4, 2, 2}) {
      days = days.plus(FIRST.plus(Duration.ofDays(day)));
    }
    assertThat(days).hasToString("2026-01-01T00:00:00Z/PT24H/5");
    assertThat(days.plus(Instant.parse("2026-01-09T06:00:00Z")))
        .hasToString("2026-01-01T00:00:00Z/PT24H/5,2026-01-09T06:00:00Z");
    assertThat(AsOfSeries.EMPTY).hasToString("");
  }

  @Test
  void aFractionOfASecondIsKeptToTheMicrosecondAsRowsKeepIt() {
    Instant fine = Instant.parse("2026-01-01T00:00:00.000001Z");
    AsOfSeries two = AsOfSeries.EMPTY.plus(FIRST).plus(fine);
    assertThat(two).hasToString("2026-01-01T00:00:00Z/PT0.000001S/2");
    assertThat(AsOfSeries.parse(two.toString()).newest()).contains(fine);
    assertThat(AsOfSeries.EMPTY.plus(FIRST.plusNanos(1_999)).newest()).contains(fine);
    assertThat(two.contains(FIRST.plusNanos(1_999))).isTrue();
  }

  @Test
  void neighboursAreFound() {
    AsOfSeries days = AsOfSeries.parse("2026-01-01T00:00:00Z/PT24H/3,2026-01-10T00:00:00Z");
    Instant third = Instant.parse("2026-01-03T00:00:00Z");
    Instant tenth = Instant.parse("2026-01-10T00:00:00Z");
    assertThat(days.before(tenth)).contains(third);
    assertThat(days.after(third)).contains(tenth);
    assertThat(days.before(FIRST)).isEmpty();
    assertThat(days.after(tenth)).isEmpty();
    assertThat(days.newest()).contains(tenth);
    assertThat(days.newestAt(tenth)).contains(tenth);
    assertThat(days.newestAt(tenth.minusNanos(1_000))).contains(third);
    assertThat(days.newestAt(FIRST.minusSeconds(1))).isEmpty();
    assertThat(days.contains(third)).isTrue();
    assertThat(days.contains(third.plusSeconds(1))).isFalse();
    assertThat(AsOfSeries.EMPTY.newest()).isEmpty();
  }

  @Test
  void whatIsWrittenIsRead() {
    Random random = new Random(7);
    for (int round = 0; round < 200; round++) {
      TreeSet<Instant> expected = new TreeSet<>();
      AsOfSeries series = AsOfSeries.EMPTY;
      for (int i = random.nextInt(30); i > 0; i--) {
        Instant asOf = FIRST.plus(Duration.ofHours(random.nextInt(40)));
        if (random.nextInt(5) == 0) {
          asOf = asOf.plusNanos(1_000L * random.nextInt(1_000_000));
        }
        expected.add(asOf);
        series = series.plus(asOf);
      }
      AsOfSeries read = AsOfSeries.parse(series.toString());
      assertThat(read).hasToString(series.toString());
      for (Instant asOf : expected) {
        assertThat(read.contains(asOf)).isTrue();
        assertThat(read.before(asOf).orElse(null)).isEqualTo(expected.lower(asOf));
        assertThat(read.after(asOf).orElse(null)).isEqualTo(expected.higher(asOf));
      }
      assertThat(read.newest().orElse(null)).isEqualTo(expected.isEmpty() ? null : expected.last());
    }
  }

  @Test
  void anythingElseIsRefused() {
    for (String text : new String[] {"yesterday", "2026-01-01T00:00:00Z/PT24H", "a/b/c", ","}) {
      assertThatThrownBy(() -> AsOfSeries.parse(text))
          .isInstanceOf(TarnException.class)
          .hasMessage(
              "'%s' is no list of as-ofs such as 2026-01-01T00:00:00Z/PT24H/60 (tarn.as-ofs of a snapshot's summary)",
              text);
    }
  }
}
