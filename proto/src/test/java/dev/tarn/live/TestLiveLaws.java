package dev.tarn.live;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.live.LiveEvents.Event;
import dev.tarn.manifest.LiveBase;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Checks the law of live features with random events, bases, write batches and questions: whatever
 * base the live cells are merged with, the answer is that of the events themselves.
 */
class TestLiveLaws {

  private static final int RUNS = 120;

  /** A base that a push has written. */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares bases.
  private record Pushed(Cut cut, byte[] cells) {}

  private Random random;
  private LiveBase base;
  private LivePlan plan;
  private List<Event> events;

  /** How many of the events are in the topic. */
  private int arrived;

  private long now;
  private final List<Pushed> kept = new ArrayList<>();
  private byte[] entry;

  /** Events that the live job has applied, which may be fewer than have arrived. */
  private int applied;

  /** The moment that all questions are at or after. */
  private long bound = Long.MIN_VALUE;

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyBaseGivesTheAnswerOfTheEvents(boolean isBounded) {
    List<List<Object>> answers = new ArrayList<>();
    Set<Integer> cells = new HashSet<>();
    for (int run = 0; run < RUNS; run++) {
      begin(isBounded ? LiveEvents.BOUNDED : LiveEvents.BASE, run);
      while (arrived < events.size()) {
        arrive(1 + random.nextInt(20));
        if (random.nextInt(3) > 0) {
          write();
        }
        if (random.nextInt(5) == 0) {
          push();
        }
        if (random.nextInt(2) == 0) {
          answers.add(askEveryBase(run));
        }
      }
      // Long after the last event, all windows run out.
      write();
      for (int i = 0; i < 4; i++) {
        now += random.nextInt(200) * LiveEvents.SECOND;
        answers.add(askEveryBase(run));
        settle();
      }
      cells.add(entry.length);
    }
    assertThat(LiveEvents.kinds(answers)).contains("null", "all");
    assertThat(answers).hasSizeGreaterThan(RUNS);
    assertThat(cells).hasSizeGreaterThan(10);
  }

  private void begin(LiveBase definition, int seed) {
    random = new Random(seed);
    base = definition;
    plan = LivePlan.of(base);
    events = LiveEvents.random(random, 20 + random.nextInt(300));
    arrived = random.nextInt(events.size());
    now = events.get(0).arrived();
    bound = Long.MIN_VALUE;
    kept.clear();
    applied = 0;
    push();
    entry = Token.entry(EntityCells.live(plan).toBytes());
    // The live job begins at the first base's cut.
    applied = 0;
  }

  private void arrive(int count) {
    arrived = Math.min(events.size(), arrived + count);
    now = Math.max(now, events.get(arrived - 1).arrived());
  }

  /** Applies some more events, a few of them again, and writes the entry. */
  private void write() {
    EntityCells cells = EntityCells.readLive(plan, Token.cells(entry));
    int from = Math.max(0, applied - random.nextInt(30));
    int to = applied + random.nextInt(arrived - applied + 1);
    Cut oldest = kept.get(0).cut();
    for (Event event : events.subList(from, Math.max(from, to))) {
      if (event.offset() >= oldest.next(event.partition())) {
        boolean isNew = event.offset() >= cells.applied(event.partition());
        assertThat(add(cells, event)).isEqualTo(isNew);
      }
    }
    applied = Math.max(applied, to);
    if (random.nextBoolean()) {
      tidy(cells, Optional.of(oldest));
    }
    entry = written(cells);
  }

  private void settle() {
    EntityCells cells = EntityCells.readLive(plan, Token.cells(entry));
    tidy(cells, Optional.of(kept.get(0).cut()));
    entry = written(cells);
  }

  private static byte[] written(EntityCells cells) {
    return Token.entry(cells.toBytes());
  }

  private void tidy(EntityCells cells, Optional<Cut> oldest) {
    bound = Math.max(bound, now - LiveEvents.SKEW);
    if (random.nextBoolean()) {
      cells.settle(bound);
      cells.trim(bound, oldest);
    } else {
      cells.trim(bound, oldest);
      cells.settle(bound);
    }
  }

  /** Writes a base of some events that have arrived, in any order; lets an old one go. */
  private void push() {
    Cut cut = LiveEvents.alignedCut(events, random.nextInt(arrived + 1));
    if (!kept.isEmpty()) {
      cut = cut.max(kept.get(kept.size() - 1).cut());
    }
    List<Event> before = new ArrayList<>(LiveEvents.before(cut, events.subList(0, arrived)));
    Collections.shuffle(before, random);
    EntityCells cells = EntityCells.base(plan);
    int half = random.nextInt(before.size() + 1);
    before.subList(0, half).forEach(event -> add(cells, event));
    if (random.nextBoolean()) {
      tidy(cells, Optional.empty());
    }
    // A push of a long window continues with the cells of the push before.
    EntityCells continued = EntityCells.readBase(plan, cells.toBytes());
    before.subList(half, before.size()).forEach(event -> add(continued, event));
    tidy(continued, Optional.empty());
    kept.add(new Pushed(cut, continued.toBytes()));
    if (kept.size() > 3) {
      kept.remove(0);
    }
  }

  private static boolean add(EntityCells cells, Event event) {
    return cells.add(event.partition(), event.offset(), event.micros(), event.values());
  }

  /** Asks at a moment that no cell has passed, over each base that is kept. */
  private List<Object> askEveryBase(int run) {
    long moment = Math.max(bound, now - random.nextInt((int) LiveEvents.SKEW));
    Cut progress = Cut.of(LiveEvents.nextOffsets(events.subList(0, applied)));
    List<Object> last = List.of();
    for (Pushed pushed : kept) {
      LiveAnswer answer = new LiveAnswer(plan, pushed.cut(), moment);
      if (random.nextBoolean()) {
        answer.addBase(pushed.cells());
        answer.addLive(Token.cells(entry));
      } else {
        answer.addLive(Token.cells(entry));
        answer.addBase(pushed.cells());
      }
      // The stamp's cut says which events are in the answer: also those that only the base has.
      List<Event> counted = LiveEvents.before(answer.cut(progress), events);
      last = LiveEvents.answer(plan, answer);
      assertThat(LiveEvents.bits(last))
          .as("run %d, base %s, moment %d", run, pushed.cut(), moment)
          .isEqualTo(LiveEvents.bits(LiveEvents.answer(base, counted, moment)));
      assertThat(progress.isWithin(answer.cut(progress))).isTrue();
    }
    return last;
  }
}
