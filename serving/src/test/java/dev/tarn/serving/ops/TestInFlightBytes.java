package dev.tarn.serving.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.tarn.serving.ops.InFlightBytes.RefusedException;
import io.grpc.Attributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class TestInFlightBytes {

  private static final long MOST = 1_000_000;

  private final InFlightBytes all = new InFlightBytes(MOST);

  @Test
  void whatIsGivenBackIsThereForOthers() {
    InFlightBytes.Call first = call(connection());
    first.take(400_000);
    first.take(100_000);
    InFlightBytes.Call second = call(connection());
    assertThatThrownBy(() -> second.take(400_000)).isInstanceOf(RefusedException.class);

    first.keep(200_000);
    second.take(400_000);
    first.end();
    second.end();

    call(connection()).take(500_000);
  }

  @Test
  void aCallThatCanNeverFindRoomIsTooLarge() {
    RefusedException refused = refusal(call(connection()), 500_001);

    assertThat(refused.isTooLarge()).isTrue();
    assertThat(refused)
        .hasMessage(
            "the lookup needs at least 500,001 bytes of memory, and the server has 500,000 for one (half of"
                + " serving.max-in-flight-bytes): ask for fewer ids or features at once");
  }

  @Test
  void aConnectionThatTakesAllItCanLeavesRoomForOthers() {
    List<Long> taken = new ArrayList<>();
    for (int hogs = 1; hogs <= 4; hogs++) {
      taken.add(takeAll(connection()));
    }

    // Each finds less than the one before, and none takes the last.
    assertThat(taken).containsExactly(500_000L, 250_000L, 125_000L, 62_500L);
    call(connection()).take(30_000);
  }

  @Test
  void aConnectionThatDoesNotReadIsToldSo() {
    Attributes hog = connection();
    takeAll(hog);

    RefusedException refused = refusal(call(hog), 1_000);

    assertThat(refused.isTooLarge()).isFalse();
    assertThat(refused)
        .hasMessage(
            "the lookup needs at least 1,000 bytes of memory, and the others of this connection"
                + " take 500,000 until their answers are read, of 1,000,000 for all"
                + " (serving.max-in-flight-bytes): read the answers, then try again");
    assertThat(refusal(call(connection()), 300_000))
        .hasMessage(
            "the lookup needs at least 300,000 bytes of memory, and the others under way take"
                + " 500,000 of 1,000,000 (serving.max-in-flight-bytes): try again later");
  }

  @Test
  void aRefusalNamesWhatTheCallNeedsInAllAndWhatOthersTake() {
    Attributes connection = connection();
    call(connection).take(300_000);
    InFlightBytes.Call call = call(connection);
    call.take(150_000);

    RefusedException refused = refusal(call, 60_000);

    assertThat(refused.isTooLarge()).isFalse();
    assertThat(refused)
        .hasMessageStartingWith(
            "the lookup needs at least 210,000 bytes of memory, and the others of this connection"
                + " take 300,000 until");
    assertThat(refused.needing(500_000).isTooLarge()).isFalse();
    assertThat(refused.needing(500_001).isTooLarge()).isTrue();
    assertThat(refused.needing(700_000))
        .hasMessageStartingWith(
            "the lookup needs about 700,000 bytes of memory, and the server has 500,000 for one");
  }

  @Test
  void aCallThatCanDoWithLessGetsWhatIsThere() {
    call(connection()).take(400_000);
    InFlightBytes.Call call = call(connection());

    assertThat(call.take(100_000, 2_000_000)).isEqualTo(300_000);
    assertThatThrownBy(() -> call.take(1, 10)).isInstanceOf(RefusedException.class);
  }

  @Test
  void whatIsOnlyExpectedIsTakenInPartIfNoCallGetsAll() {
    InFlightBytes.Call call = call(connection());

    assertThat(call.begin(100_000, 5_000_000)).isEqualTo(200_000);
    call.take(50_000);
    call.keepBegun();

    assertThat(call(connection()).begin(50_000, 200_000)).isEqualTo(200_000);
    RefusedException refused =
        catchThrowableOfType(
            RefusedException.class, () -> call(connection()).begin(100_000, 200_000));
    assertThat(refused.isTooLarge()).isFalse();
    assertThat(refused).hasMessageStartingWith("the lookup needs about 300,000 bytes of memory");
    refused =
        catchThrowableOfType(
            RefusedException.class, () -> call(connection()).begin(300_000, 5_000_000));
    assertThat(refused.isTooLarge()).isTrue();
    assertThat(refused).hasMessageStartingWith("the lookup needs about 5,300,000 bytes of memory");
  }

  @Test
  void whatIsTakenAfterTheEndIsNotKept() {
    InFlightBytes.Call gone = call(connection());
    gone.take(100);
    gone.end();

    gone.take(400_000);
    gone.keep(10);
    gone.end();

    call(connection()).take(500_000);
  }

  @Test
  void nothingIsLostWhenManyThreadsTakeAndGive() throws InterruptedException {
    int threads = 4;
    CountDownLatch done = new CountDownLatch(threads);
    for (int i = 0; i < threads; i++) {
      Random random = new Random(i);
      Attributes connection = connection();
      new Thread(
              () -> {
                for (int call = 0; call < 20_000; call++) {
                  takeAndGive(call(connection), random);
                }
                done.countDown();
              })
          .start();
    }
    done.await();

    call(connection()).take(500_000);
    assertThatThrownBy(() -> call(connection()).take(250_001)).isInstanceOf(RefusedException.class);
  }

  private static void takeAndGive(InFlightBytes.Call call, Random random) {
    try {
      call.take(random.nextInt(100_000));
      call.take(random.nextInt(100_000));
      call.keep(random.nextInt(100_000));
    } catch (RefusedException e) {
      assertThat(e.isTooLarge()).isFalse();
    }
    call.end();
  }

  private long takeAll(Attributes connection) {
    long taken = 0;
    for (long step = 250_000; step > 0; step /= 2) {
      try {
        while (true) {
          call(connection).take(step);
          taken += step;
        }
      } catch (RefusedException e) {
        assertThat(e.isTooLarge()).isFalse();
      }
    }
    return taken;
  }

  private static RefusedException refusal(InFlightBytes.Call call, long bytes) {
    return catchThrowableOfType(RefusedException.class, () -> call.take(bytes));
  }

  private Attributes connection() {
    return all.connections().transportReady(Attributes.EMPTY);
  }

  private InFlightBytes.Call call(Attributes connection) {
    InFlightBytes.Call call = all.newCall();
    call.comesOver(connection);
    return call;
  }
}
