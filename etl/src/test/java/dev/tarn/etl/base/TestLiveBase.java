package dev.tarn.etl.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.base.LiveView.Event;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.expire.Expire;
import dev.tarn.etl.push.Push;
import dev.tarn.etl.verify.Verify;
import dev.tarn.live.LivePlan;
import dev.tarn.live.Progress;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Bases of live views, from the event table to Redis. */
class TestLiveBase {

  private static final String IDS = "event-id = id, event-id-horizon = 20m";
  private static final String VIEW = "spend";

  private static long now() {
    return Values.micros(Instant.now());
  }

  private static List<Long> moments() {
    long now = now();
    List<Long> moments = new ArrayList<>();
    for (long seconds : new long[] {0, 1, 45, 600, 3_601, 7_200, 80_000, 86_401, 200_000}) {
      moments.add(now + seconds * 1_000_000L);
    }
    return moments;
  }

  @Test
  void aBaseOfTheEventsSinceTheLastIsThatOfAllEvents() {
    LiveView view = new LiveView(VIEW, "incremental", IDS);
    Random random = new Random(1);
    long now = now();
    List<Event> first = LiveView.events(random, 0, 0, 1_100, now - 3_600_000_000L);
    List<Event> other = LiveView.events(random, 1, 0, 500, now);
    first.addAll(other.subList(0, 100));
    view.archive(first, 1_100, 100);
    VersionRecord one = view.push().record();
    assertThat(one.getRowFormat()).isEqualTo(LivePlan.FORMAT);
    assertThat(one.getLive().getCutMap()).isEqualTo(Map.of(0, 1_088L, 1, 64L));
    assertThat(one.getLive().getLiveBuckets()).isEqualTo(256);
    assertThat(one.getLive().getFeatures(1).getDefaultValue().getNumberValue()).isEqualTo(0.5);
    assertThat(view.push().state()).isEqualTo(Push.State.RELEASED_ALREADY);

    List<Event> second = LiveView.events(random, 0, 1_100, 1_200, now);
    second.addAll(other.subList(100, 500));
    view.archive(second, 1_200, 500);
    VersionRecord two = view.push().record();
    assertThat(two.getLive().getCutMap()).isEqualTo(Map.of(0, 1_152L, 1, 448L));
    assertThat(view.bench().output()).contains("the entities with events since 0: 1088, 1: 64");

    LiveView whole = new LiveView(VIEW, "incremental", IDS);
    VersionRecord full = whole.push().record();
    assertThat(whole.bench().output()).contains("all entities");
    assertThat(full.getLive().getCutMap()).isEqualTo(two.getLive().getCutMap());
    int there = 0;
    for (long user : LiveView.users()) {
      for (long moment : moments()) {
        String answer = whole.answer(full, user, Optional.empty(), moment);
        assertThat(view.answer(two, user, Optional.empty(), moment))
            .as("user %d at %d", user, moment)
            .isEqualTo(answer);
        there += answer.equals("not there") ? 0 : 1;
      }
    }
    assertThat(there).isGreaterThan(60);

    // Swap law: for the same cut and moment the base does not matter.
    List<Event> all = new ArrayList<>(first);
    all.addAll(second);
    List<Event> counted = LiveView.counted(all, 20 * 60_000_000L);
    assertThat(counted.size()).isLessThan(all.size());
    counted.removeIf(event -> event.offset() < one.getLive().getCutOrThrow(event.partition()));
    var cells = view.cells(one.getLive(), counted, now() - 5_000_000L);
    for (long user : LiveView.users()) {
      for (long moment : moments()) {
        assertThat(view.answer(two, user, cells.get(user), moment))
            .as("user %d at %d", user, moment)
            .isEqualTo(view.answer(one, user, cells.get(user), moment));
      }
    }

    assertThat(verified(view)).isTrue();

    // Too much was appended since all rows were written, so all are again; then only what changed
    // is.
    List<Event> more = hot(LiveView.events(random, 1, 500, 700, now() + 3_600_000_000L));
    view.archive(more.subList(0, 100), 1_200, 600);
    assertThat(view.push().mode()).isEqualTo("full");
    assertThat(view.bench().output()).contains("the cells of all entities");
    view.archive(more.subList(100, 200), 1_200, 700);
    Push.Outcome delta = view.push();
    assertThat(delta.mode()).isEqualTo("delta");
    assertThat(delta.rowsWritten()).isEqualTo(1);
    assertThat(verified(view)).isTrue();
    VersionRecord again = whole.push().record();
    assertThat(again.getLive().getCutMap()).isEqualTo(Map.of(0, 1_152L, 1, 640L));
    for (long user : LiveView.users()) {
      for (long moment : moments()) {
        assertThat(view.answer(delta.record(), user, Optional.empty(), moment))
            .as("user %d at %d", user, moment)
            .isEqualTo(whole.answer(again, user, Optional.empty(), moment));
      }
    }

    // Snapshots of kept versions stay.
    new Expire(
            view.bench().lake(),
            view.bench().redis(),
            Console.silent(),
            3,
            Duration.ZERO,
            Duration.ZERO,
            Expire.LONGEST_BUILD)
        .expire(List.of(VIEW));
    assertThat(verified(view)).isTrue();

    // Rollback is instant, and pushes leave the view alone.
    VersionRecord before = view.bench().versions().records(VIEW).get(1);
    assertThat(view.bench().run("rollback", "view=" + VIEW)).isZero();
    assertThat(view.bench().versions().releasedRecord(VIEW)).contains(before);
    assertThat(verified(view)).isTrue();
    assertThat(view.push().state()).isEqualTo(Push.State.PINNED);
  }

  /** The same events, all of one entity. */
  private static List<Event> hot(List<Event> events) {
    return events.stream()
        .map(
            event ->
                new Event(
                    7,
                    event.micros(),
                    event.partition(),
                    event.offset(),
                    event.arrived(),
                    event.id(),
                    event.d(),
                    event.n(),
                    event.s()))
        .toList();
  }

  private static boolean verified(LiveView view) {
    return new Verify(view.bench().lake(), view.bench().redis(), Console.silent())
        .verify(view.view(), Verify.VerifyRequest.ALL)
        .isEqual();
  }

  @Test
  void aViewWithoutAWholeSegmentHasAnEmptyBase() {
    LiveView view = new LiveView("small", "few_events", "");
    assertThatThrownBy(view::push)
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("nothing has been archived yet: ./tarn archive source=few_events");
    view.archive(LiveView.events(new Random(2), 0, 0, 60, now()), 60);
    VersionRecord record = view.push().record();
    assertThat(record.getRows()).isZero();
    assertThat(record.getLive().getCutMap()).isEqualTo(Map.of(0, 0L));
    assertThat(view.answer(record, 7, Optional.empty(), now())).isEqualTo("not there");
  }

  @Test
  void nothingIsReleasedBeforeLiveCellsAreAsFarAsLookupsWere() {
    LiveView view = new LiveView("late", "emptied", "");
    view.archive(LiveView.events(new Random(3), 0, 0, 200, now()), 200);
    view.bench().set("push.live-patience", "0s");
    new LiveCuts(view.bench().lake().catalog())
        .add(
            List.of(
                new LiveCuts.LiveCut(
                    "late", Instant.now(), "another", LiveView.cut(250), Optional.empty())));
    assertThatThrownBy(view::push)
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("its live cells are 58 events behind the cut that live cells had at")
        .hasMessageContaining("See that ./tarn live views=late runs")
        .hasMessageContaining("nothing has been applied");
    assertThat(view.bench().versions().released("late")).isEmpty();
    List<VersionRecord> complete = view.bench().versions().records("late");
    assertThat(complete).hasSize(1);
    String generation = complete.get(0).getLive().getGeneration();
    view.progress(generation, new Progress(192, 249, now()));
    assertThatThrownBy(view::push).hasMessageContaining("its live cells are 1 event behind");
    view.progress(generation, new Progress(192, 250, now()));
    assertThat(view.push().mode()).isEqualTo("kept");
    assertThat(view.bench().versions().releasedRecord("late").map(VersionRecord::getVersion))
        .contains(complete.get(0).getVersion());

    // Live cells that begin later than a base can't be merged with it.
    view.archive(LiveView.events(new Random(4), 0, 200, 300, now()), 300);
    assertThat(view.push().state()).isEqualTo(Push.State.RELEASED);
    view.progress(generation, new Progress(256, 400, now()));
    view.bench().output();
    assertThat(view.bench().run("rollback", "view=late")).isEqualTo(1);
    assertThat(view.bench().output())
        .contains("ends at offset 192 of partition 0, and live cells begin at 256");
    view.progress(generation, new Progress(384, 400, now()));
    view.archive(LiveView.events(new Random(6), 0, 300, 350, now()), 350);
    assertThatThrownBy(view::push)
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("ends at offset 320 of partition 0, and live cells begin at 384")
        .hasMessageContaining("./tarn archive source=emptied, then ./tarn push view=late");
    assertThat(BaseTable.find(view.bench().lake().catalog(), "late")).isPresent();
  }
}
