package dev.tarn.etl.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.RoundPlan.Range;
import dev.tarn.etl.archive.TopicState.Extent;
import dev.tarn.etl.catalog.Cut;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class TestRoundPlan {

  private static final String ID = "id-1";

  @Test
  void theFirstRoundTakesWhatIsThere() {
    RoundPlan plan =
        plan(Optional.empty(), topic(Map.of(0, new Extent(5, 9), 1, new Extent(0, 0))));
    assertThat(plan.ranges()).containsExactly(new Range(0, 5, 9));
    assertThat(plan.to()).isEqualTo(cut(Map.of(0, 9L, 1, 0L)));
    assertThat(plan.lost()).isEmpty();
    assertThat(plan.size()).isEqualTo(4);
  }

  @Test
  void aRoundGoesOnAtTheCutAndNotBeyondWhereItIsToStop() {
    TopicState topic = topic(Map.of(0, new Extent(0, 9), 1, new Extent(0, 7), 2, new Extent(0, 2)));
    RoundPlan plan =
        RoundPlan.of(
            "s", Optional.of(cut(Map.of(0, 4L, 1, 7L))), topic, Map.of(0, 6L, 1, 7L), 100, false);
    // Of a partition that is newer than that all is taken.
    assertThat(plan.ranges()).containsExactly(new Range(0, 4, 6), new Range(2, 0, 2));
    assertThat(plan.to().offsets()).isEqualTo(Map.of(0, 6L, 1, 7L, 2, 2L));
  }

  @Test
  void eachPartitionGetsItsShareOfARound() {
    TopicState topic =
        topic(Map.of(0, new Extent(0, 900), 1, new Extent(0, 90), 2, new Extent(0, 10)));
    RoundPlan plan = RoundPlan.of("s", Optional.empty(), topic, Map.of(), 50, false);
    assertThat(plan.ranges())
        .containsExactly(new Range(0, 0, 45), new Range(1, 0, 4), new Range(2, 0, 1));
    assertThat(plan.to().offsets()).isEqualTo(Map.of(0, 45L, 1, 4L, 2, 1L));
  }

  @Test
  void lostOffsetsArePassedOverOnlyIfThatIsWanted() {
    TopicState topic = topic(Map.of(0, new Extent(7, 9), 1, new Extent(3, 3)));
    Optional<Cut> cut = Optional.of(cut(Map.of(0, 4L)));
    assertThatThrownBy(() -> plan(cut, topic))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(
            "has lost 6 offsets before they were archived: partition 0 begins at offset 7, and 4 is the next to archive; partition 1 begins at offset 3, and 0 is the next to archive");
    RoundPlan plan = RoundPlan.of("s", cut, topic, Map.of(), 100, true);
    assertThat(plan.lost()).containsExactly(new Range(0, 4, 7), new Range(1, 0, 3));
    assertThat(plan.ranges()).containsExactly(new Range(0, 7, 9));
    assertThat(plan.to().offsets()).isEqualTo(Map.of(0, 9L, 1, 3L));
  }

  @Test
  void anotherTopicIsRefused() {
    Optional<Cut> cut = Optional.of(cut(Map.of(0, 4L, 1, 2L)));
    String prefix = "topic 't' of source 's' is not the one that was archived: ";
    assertThatThrownBy(() -> plan(cut, topic(Map.of(0, new Extent(0, 4)))))
        .hasMessageStartingWith(prefix + "it has no partition 1 any more. ");
    assertThatThrownBy(() -> plan(cut, topic(Map.of(0, new Extent(0, 3), 1, new Extent(0, 2)))))
        .hasMessageStartingWith(
            prefix + "partition 0 ends at offset 3, and everything before 4 is archived. ");
    assertThatThrownBy(() -> plan(cut, new TopicState("t", "id-2", topic(Map.of()).partitions())))
        .hasMessageStartingWith(prefix + "its id was id-1 and is id-2 now. ");
    assertThatThrownBy(() -> plan(cut, new TopicState("u", ID, topic(Map.of()).partitions())))
        .hasMessage(
            "the event table of source 's' holds the events of topic 't', and the definition says topic = u; another topic needs another event table (table = …)");
    // Where one of the two has no id, the offsets tell.
    TopicState old =
        new TopicState(
            "t", "", topic(Map.of(0, new Extent(0, 5), 1, new Extent(0, 2))).partitions());
    assertThat(plan(cut, old).ranges()).containsExactly(new Range(0, 4, 5));
  }

  @Test
  void aCutIsStoredAsJson() {
    Cut cut = cut(Map.of(0, 4L, 1, 9_000_000_000L));
    assertThat(cut.json())
        .isEqualTo(
            "{\"topic\":\"t\",\"topic_id\":\"id-1\",\"offsets\":{\"0\":4,\"1\":9000000000}}");
    assertThat(Cut.parse(cut.json())).isEqualTo(cut);
    assertThat(Cut.parse("{\"topic\":\"t\",\"offsets\":{\"0\":4}}").topicId()).isEmpty();
    for (String none : new String[] {"", "{}", "no", "{\"topic\":\"t\",\"offsets\":{\"a\":1}}"}) {
      assertThatThrownBy(() -> Cut.parse(none))
          .isInstanceOf(TarnException.class)
          .hasMessage("tarn.cut = %s is no cut", none);
    }
    assertThat(cut.next(2)).isZero();
    assertThat(cut(Map.of(0, 4L)).isWithin(cut)).isTrue();
    assertThat(cut(Map.of(2, 1L)).isWithin(cut)).isFalse();
    assertThat(Cut.none("t", ID).isWithin(Cut.none("t", ID))).isTrue();
  }

  private static RoundPlan plan(Optional<Cut> cut, TopicState topic) {
    return RoundPlan.of("s", cut, topic, Map.of(), 100, false);
  }

  private static Cut cut(Map<Integer, Long> offsets) {
    return new Cut("t", ID, new TreeMap<>(offsets));
  }

  private static TopicState topic(Map<Integer, Extent> partitions) {
    return new TopicState("t", ID, new TreeMap<>(partitions));
  }
}
