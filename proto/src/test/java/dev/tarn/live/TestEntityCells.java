package dev.tarn.live;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tarn.aggregate.CorruptStateException;
import dev.tarn.aggregate.OverflowException;
import dev.tarn.live.LiveEvents.Event;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.LiveBase;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class TestEntityCells {

  private static final LivePlan PLAN = LivePlan.of(LiveEvents.BASE);
  private static final long NOW = 1_700_000_000L * LiveEvents.SECOND;

  private final Random random = new Random(18);

  @Test
  void anEventThatComesAgainChangesNothing() {
    EntityCells cells = EntityCells.live(PLAN);
    assertThat(cells.add(1, 7, NOW, values(1))).isTrue();
    byte[] once = cells.toBytes();

    assertThat(cells.add(1, 7, NOW, values(1))).isFalse();
    assertThat(cells.add(1, 6, NOW, values(2))).isFalse();

    assertThat(cells.toBytes()).isEqualTo(once);
    assertThat(cells.applied(1)).isEqualTo(8);
    assertThat(cells.applied(0)).isZero();
  }

  @Test
  void anEntityRemembersWhatWasAppliedWhenItsEventsAreGone() {
    EntityCells cells = EntityCells.live(LivePlan.of(LiveEvents.BOUNDED));
    cells.add(2, 40, NOW, values(1));

    cells.trim(NOW + 3_600 * LiveEvents.SECOND, Optional.of(Cut.of()));

    assertThat(cells.isEmpty()).isTrue();
    EntityCells again = EntityCells.readLive(LivePlan.of(LiveEvents.BOUNDED), cells.toBytes());
    assertThat(again.add(2, 40, NOW, values(1))).isFalse();
    assertThat(again.isEmpty()).isTrue();
  }

  @Test
  void whatTheOldestBaseHasIsLetGo() {
    EntityCells cells = EntityCells.live(PLAN);
    for (int i = 0; i < 2 * LiveEvents.SEGMENT; i++) {
      cells.add(0, i, NOW, values(i));
    }
    cells.settle(NOW);
    long before = cells.toBytes().length;

    cells.trim(NOW, Optional.of(Cut.of(LiveEvents.SEGMENT)));

    assertThat(cells.toBytes().length).isLessThan((int) before * 2 / 3);
    LiveAnswer answer = new LiveAnswer(PLAN, Cut.of(LiveEvents.SEGMENT), NOW);
    answer.addLive(cells.toBytes());
    assertThat(answer.value(0)).isEqualTo((long) LiveEvents.SEGMENT);
    cells.trim(NOW, Optional.of(Cut.of(2L * LiveEvents.SEGMENT)));
    assertThat(cells.isEmpty()).isTrue();
  }

  @Test
  void whatIsReadIsWrittenAgain() {
    for (int i = 0; i < 200; i++) {
      List<Event> events = LiveEvents.random(random, random.nextInt(200));
      EntityCells live = EntityCells.live(PLAN);
      EntityCells base = EntityCells.base(PLAN);
      events.forEach(addTo(live));
      events.forEach(addTo(base));
      if (!events.isEmpty()) {
        long bound = events.get(random.nextInt(events.size())).arrived();
        live.settle(bound);
        base.settle(bound);
      }

      assertThat(EntityCells.readLive(PLAN, live.toBytes()).toBytes()).isEqualTo(live.toBytes());
      assertThat(EntityCells.readBase(PLAN, base.toBytes()).toBytes()).isEqualTo(base.toBytes());
    }
  }

  @Test
  void theBytesDoNotDependOnBatches() {
    for (int i = 0; i < 100; i++) {
      List<Event> events = LiveEvents.random(random, 1 + random.nextInt(150));
      long bound = events.get(random.nextInt(events.size())).arrived();
      EntityCells atOnce = EntityCells.live(PLAN);
      events.forEach(addTo(atOnce));
      atOnce.settle(bound);

      EntityCells inParts = EntityCells.live(PLAN);
      for (int from = 0; from < events.size(); ) {
        int to = Math.min(events.size(), from + 1 + random.nextInt(30));
        events.subList(from, to).forEach(addTo(inParts));
        inParts.settle(Math.min(bound, events.get(random.nextInt(to)).arrived()));
        inParts = EntityCells.readLive(PLAN, inParts.toBytes());
        from = to;
      }
      inParts.settle(bound);

      assertThat(inParts.toBytes()).isEqualTo(atOnce.toBytes());
    }
  }

  @Test
  void theBytesOfABaseDoNotDependOnTheOrderOfEvents() {
    for (int i = 0; i < 100; i++) {
      List<Event> events = new ArrayList<>(LiveEvents.random(random, 1 + random.nextInt(100)));
      EntityCells one = EntityCells.base(PLAN);
      EntityCells other = EntityCells.base(PLAN);
      events.forEach(addTo(one));
      Collections.shuffle(events, random);
      events.forEach(addTo(other));
      long bound = events.get(0).arrived();
      one.settle(bound);
      other.settle(bound);

      assertThat(other.toBytes()).isEqualTo(one.toBytes());
    }
  }

  @Test
  void anEventThatIsNotSettledCountsFromItsTimeOn() {
    EntityCells cells = EntityCells.live(PLAN);
    for (int i = 0; i < 20; i++) {
      cells.add(0, i, NOW + i * LiveEvents.SECOND, values(i));
    }
    cells.settle(NOW + 10 * LiveEvents.SECOND);

    for (int i = 10; i < 20; i++) {
      LiveAnswer answer = new LiveAnswer(PLAN, Cut.of(), NOW + i * LiveEvents.SECOND);
      answer.addLive(cells.toBytes());
      assertThat(answer.value(0)).isEqualTo((long) i + 1);
    }
  }

  @Test
  void garbageIsCorruptAndNothingElse() {
    List<byte[]> good = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      List<Event> events = LiveEvents.random(random, 5 + random.nextInt(60));
      EntityCells live = EntityCells.live(PLAN);
      EntityCells base = EntityCells.base(PLAN);
      events.forEach(addTo(live));
      events.forEach(addTo(base));
      live.settle(events.get(events.size() / 2).arrived());
      base.settle(Long.MAX_VALUE);
      good.add(live.toBytes());
      good.add(base.toBytes());
    }
    int corrupt = 0;
    for (int i = 0; i < 60_000; i++) {
      byte[] garbage = garbled(good.get(random.nextInt(good.size())));
      corrupt += isCorrupt(garbage) ? 1 : 0;
    }
    assertThat(corrupt).isGreaterThan(10_000);
  }

  private boolean isCorrupt(byte[] garbage) {
    try {
      LiveAnswer answer = new LiveAnswer(PLAN, Cut.of(LiveEvents.SEGMENT), NOW);
      if (random.nextBoolean()) {
        answer.addBase(garbage);
        EntityCells cells = EntityCells.readBase(PLAN, garbage);
        cells.settle(NOW);
        cells.trim(NOW, Optional.empty());
        assertThat(EntityCells.readBase(PLAN, cells.toBytes()).toBytes())
            .isEqualTo(cells.toBytes());
      } else {
        answer.addLive(garbage);
        EntityCells cells = EntityCells.readLive(PLAN, garbage);
        assertThat(cells.toBytes()).isEqualTo(garbage);
        var unused = answer.cut(Cut.of());
      }
      for (int i = 0; i < PLAN.features(); i++) {
        try {
          var unused = answer.value(i);
        } catch (OverflowException e) {
          // Garbage may be cells of great numbers.
        }
      }
      return false;
    } catch (CorruptStateException e) {
      assertThat(e.getMessage()).isNotEmpty();
      return true;
    }
  }

  private byte[] garbled(byte[] good) {
    byte[] bytes = Arrays.copyOf(good, good.length);
    switch (random.nextInt(4)) {
      case 0 -> bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
      case 1 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 4));
      case 2 -> {
        for (int i = random.nextInt(4); i >= 0; i--) {
          bytes[random.nextInt(Math.min(20, bytes.length))] ^= (byte) (1 << random.nextInt(8));
        }
      }
      default -> {
        int at = random.nextInt(bytes.length);
        byte[] noise = new byte[Math.min(bytes.length - at, 1 + random.nextInt(8))];
        random.nextBytes(noise);
        System.arraycopy(noise, 0, bytes, at, noise.length);
      }
    }
    return bytes;
  }

  @Test
  void cellsOfABaseAreNoLiveCells() {
    EntityCells live = EntityCells.live(PLAN);
    EntityCells base = EntityCells.base(PLAN);
    for (int i = 0; i < 10; i++) {
      live.add(0, i, NOW, values(i));
      base.add(0, i, NOW, values(i));
    }
    base.settle(NOW);
    LiveAnswer answer = new LiveAnswer(PLAN, Cut.of(), NOW);

    assertThatThrownBy(() -> answer.addBase(live.toBytes()))
        .isInstanceOf(CorruptStateException.class)
        .hasMessage("the cells have what was applied, which a base does not say");
    assertThatThrownBy(() -> answer.addLive(base.toBytes()))
        .isInstanceOf(CorruptStateException.class)
        .hasMessage("the cells have a segment of the wrong kind");
  }

  @Test
  void threeEventsInFiveWindowsAreFewBytes() {
    LiveBase five =
        LiveBase.newBuilder()
            .setSegment(4096)
            .addValueTypes(LiveEvents.type(Kind.KIND_DOUBLE))
            .addWindows(LiveEvents.window("COUNT", -1, LiveEvents.SECOND, 60))
            .addWindows(LiveEvents.window("SUM", 0, 60 * LiveEvents.SECOND, 60))
            .addWindows(LiveEvents.window("MAX", 0, 600 * LiveEvents.SECOND, 144))
            .addWindows(LiveEvents.window("AVG", 0, 3_600 * LiveEvents.SECOND, 168))
            .addWindows(LiveEvents.window("SECONDS_SINCE_LAST", -1, 3_600 * LiveEvents.SECOND, 720))
            .build();
    EntityCells cells = EntityCells.live(LivePlan.of(five));
    for (int i = 0; i < 3; i++) {
      cells.add(5, 1_000_000_000L + i, NOW + i, new Object[] {19.99 + i});
    }
    cells.settle(NOW + 10);

    // 8 of the token and 7 of what was applied; 9 of each value, 6 of its place, up to 9 of its
    // time.
    assertThat(Token.entry(cells.toBytes())).hasSizeLessThanOrEqualTo(100);
  }

  private static Consumer<Event> addTo(EntityCells cells) {
    return event -> cells.add(event.partition(), event.offset(), event.micros(), event.values());
  }

  private static Object[] values(long number) {
    return new Object[] {number, (double) number, new byte[] {(byte) number}};
  }
}
