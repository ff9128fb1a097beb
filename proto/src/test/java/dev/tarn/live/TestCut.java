package dev.tarn.live;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class TestCut {

  @Test
  void aPartitionThatIsNotThereBeginsAtZero() {
    Cut cut = Cut.of(Map.of(2, 7L));

    assertThat(cut.partitions()).isEqualTo(3);
    assertThat(cut.next(0)).isZero();
    assertThat(cut.next(2)).isEqualTo(7);
    assertThat(cut.next(9)).isZero();
    assertThat(cut).isEqualTo(Cut.of(0, 0, 7, 0)).hasSameHashCodeAs(Cut.of(0, 0, 7, 0));
    assertThat(cut).isNotEqualTo(Cut.of(0, 1, 7)).hasToString("0: 0, 1: 0, 2: 7");
  }

  @Test
  void theLaterOffsetOfEachPartitionCounts() {
    Cut one = Cut.of(5, 1);
    Cut other = Cut.of(3, 2, 4);

    assertThat(one.max(other)).isEqualTo(other.max(one)).isEqualTo(Cut.of(5, 2, 4));
    assertThat(one.isWithin(one.max(other))).isTrue();
    assertThat(one.isWithin(other)).isFalse();
    assertThat(Cut.of().isWithin(other)).isTrue();
  }
}
