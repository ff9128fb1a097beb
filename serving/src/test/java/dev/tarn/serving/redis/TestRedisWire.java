package dev.tarn.serving.redis;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.lettuce.core.protocol.CommandEncoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class TestRedisWire {

  /** Replies of each kind, as Redis sends them in both versions of its protocol. */
  private static final String REPLIES =
      "$3\r\nabc\r\n"
          + "$-1\r\n"
          + "_\r\n"
          + "$0\r\n\r\n"
          + "$12\r\na\r\n$3\r\n+-*_ \r\n"
          + "-ERR no such thing\r\n"
          + "+OK\r\n"
          + "*2\r\n$1\r\nk\r\n$2\r\nv1\r\n"
          + "%1\r\n$1\r\nk\r\n$2\r\nv2\r\n"
          + "*0\r\n";

  private static final List<String> ANSWERS =
      List.of(
          "abc",
          "none",
          "none",
          "",
          "a\r\n$3\r\n+-*_ ",
          "failed: ERR no such thing",
          "OK",
          "[k, v1]",
          "[k, v2]",
          "[]");

  private static final Duration TIMEOUT = Duration.ofMillis(40);

  private final List<String> told = new ArrayList<>();
  private final EmbeddedChannel channel = new EmbeddedChannel(new CommandEncoder());

  TestRedisWire() {
    channel.freezeTime();
    RedisWire.customizer(TIMEOUT).afterChannelInitialized(channel);
  }

  @Test
  void aBundleIsOneWriteOfAllItsCommands() {
    channel.writeOutbound(
        new Bundle(List.of(new Told("GET", "k"), new Told("ECHO", "four bytes"))));

    ByteBuf written = channel.readOutbound();
    assertThat(written.toString(UTF_8))
        .isEqualTo("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" + "*2\r\n$4\r\nECHO\r\n$10\r\nfour bytes\r\n");
    assertThat(channel.<Object>readOutbound()).isNull();
  }

  @Test
  void repliesAreReadWhereverTheNetworkCutsThem() {
    for (int cut = 0; cut <= REPLIES.length(); cut++) {
      send(ANSWERS.size());
      receive(REPLIES.substring(0, cut));
      receive(REPLIES.substring(cut));

      assertThat(told).as("cut at %d", cut).isEqualTo(ANSWERS);
    }
    send(ANSWERS.size());
    REPLIES.chars().forEach(next -> receive(Character.toString(next)));

    assertThat(told).isEqualTo(ANSWERS);
  }

  @Test
  void commandsFailWhenNothingComesForTheTimeout() {
    send(2);
    pass(TIMEOUT.minusMillis(1));
    assertThat(told).isEmpty();

    pass(Duration.ofMillis(1));
    assertThat(told).containsExactly("failed: null", "failed: null");
  }

  @Test
  void commandsWaitWhileAnyBytesCome() {
    send(3);
    receive("$10\r\n");
    for (int i = 0; i < 10; i++) {
      pass(TIMEOUT.minusMillis(1));
      receive("x");
    }
    receive("\r\n$1\r\ny\r\n");
    assertThat(told).containsExactly("xxxxxxxxxx", "y");

    // The silence began somewhere within a quarter of the time.
    pass(TIMEOUT.multipliedBy(5).dividedBy(4));
    assertThat(told).containsExactly("xxxxxxxxxx", "y", "failed: null");
  }

  @Test
  void theTimeOfACommandBeginsWithItIfNoOtherIsAwaited() {
    send(1);
    receive("$1\r\na\r\n");
    for (int i = 1; i < 100; i++) {
      pass(TIMEOUT.multipliedBy(i).dividedBy(50));
      send(1);
      pass(TIMEOUT.minusMillis(1));
      assertThat(told).isEmpty();
      receive("$1\r\na\r\n");
      assertThat(told).containsExactly("a");
    }
  }

  @Test
  void aCommandAfterThoseThatFailedIsNotMistakenForThem() {
    send(1);
    pass(TIMEOUT);
    assertThat(told).containsExactly("failed: null");
    send(1);

    receive("$1\r\na\r\n$1\r\nb\r\n");

    assertThat(told).containsExactly("a", "b");
  }

  /** As if the program had stood still: the bytes were there before it looked at the time. */
  @Test
  void theTimeInWhichNothingIsReadIsNotSilence() {
    send(1);
    channel.advanceTimeBy(10 * TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    receive("$1\r\na\r\n");
    channel.runScheduledPendingTasks();

    assertThat(told).containsExactly("a");
  }

  @Test
  void whatComesBeforeAnyBundleIsLettuces() {
    receive("+PONG\r\n");

    ByteBuf passed = channel.readInbound();
    assertThat(passed.toString(UTF_8)).isEqualTo("+PONG\r\n");
  }

  @Test
  void whatMakesNoSenseEndsTheConnection() {
    for (String nonsense :
        List.of(
            "?3\r\n", "$3x\r\nabc\r\n", "$99999999999\r\n", "HTTP/1.1 400\r\n", "*1\r\n?\r\n")) {
      TestRedisWire one = new TestRedisWire();
      one.send(2);
      one.receive("$1\r\na\r\n" + nonsense);

      assertThat(one.channel.isOpen()).as(nonsense).isFalse();
      assertThat(one.told).as(nonsense).containsExactly("a", "failed: connection lost");
    }
  }

  @Test
  void anAnswerThatIsNoneOfTheCommandEndsTheConnection() {
    ControlRead<?> read = ControlRead.hash("h");
    channel.writeOutbound(new Bundle(List.of(read)));
    receive("$5\r\nother\r\n");

    assertThat(channel.isOpen()).isFalse();
    assertThat(read.answer()).isCompletedExceptionally();
  }

  @Test
  void aLostConnectionFailsAllThatIsAwaited() {
    send(3);
    receive("$1\r\na\r\n$5\r\nhal");
    var unused = channel.close();

    assertThat(told).containsExactly("a", "failed: connection lost", "failed: connection lost");
  }

  private void send(int commands) {
    told.clear();
    channel.writeOutbound(
        new Bundle(IntStream.range(0, commands).mapToObj(i -> new Told("ANY")).toList()));
  }

  private void pass(Duration time) {
    long end = time.toMillis();
    for (long step = 0; step < end; step++) {
      channel.advanceTimeBy(1, TimeUnit.MILLISECONDS);
      channel.runScheduledPendingTasks();
    }
  }

  private void receive(String bytes) {
    try {
      channel.writeInbound(Unpooled.copiedBuffer(bytes, UTF_8));
    } catch (RuntimeException e) {
      // The last handler notes it; Lettuce's handler would log it.
      assertThat(channel.isOpen()).as("%s", e).isFalse();
    }
  }

  /** A command that notes its answer or failure. */
  private final class Told extends WireCommand {

    Told(String... words) {
      super(List.of(words).stream().map(word -> word.getBytes(UTF_8)).toArray(byte[][]::new));
    }

    @Override
    void answered(Object answer) {
      told.add(text(answer));
    }

    @Override
    void failed(Throwable failure) {
      told.add("failed: " + failure.getMessage());
    }

    private static String text(Object answer) {
      if (answer instanceof List<?> elements) {
        return elements.stream().map(Told::text).toList().toString();
      }
      return answer == null ? "none" : new String((byte[]) answer, ISO_8859_1);
    }
  }
}
