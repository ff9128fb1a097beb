package dev.tarn.bench.faults;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Clients that look entities up with hardly a pause, and check every answer. */
final class Lookups implements AutoCloseable {

  private static final int CLIENTS = 2;
  private static final int MAX_IDS = 60;

  /** Leaves the pushes a part of a small machine's processors. */
  private static final int PAUSE_MILLIS = 3;

  private static final Set<Status.Code> AWAY =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED);

  private final Truth truth;
  private final Consumer<String> onWrong;
  private final ManagedChannel channel;
  private final List<Thread> threads = new ArrayList<>();
  private final AtomicLong answers = new AtomicLong();
  private final AtomicLong entities = new AtomicLong();
  private final AtomicLong wrong = new AtomicLong();
  private final AtomicLong errorsInOutages = new AtomicLong();
  private final AtomicLong errorsElsewhere = new AtomicLong();
  private volatile boolean isOutage;
  private volatile boolean isClosed;

  /**
   * Connects to the server; {@link #start} begins the lookups.
   *
   * @param onWrong takes a message about each answer or error that must not be
   */
  Lookups(int port, Truth truth, long seed, Consumer<String> onWrong) {
    this.truth = truth;
    this.onWrong = onWrong;
    this.channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port)
            .usePlaintext()
            .maxInboundMessageSize(64 << 20)
            .build();
    for (int i = 0; i < CLIENTS; i++) {
      Random random = new Random(seed + i);
      Thread thread = new Thread(() -> lookUp(random), "lookups");
      thread.setDaemon(true);
      threads.add(thread);
    }
  }

  void start() {
    threads.forEach(Thread::start);
  }

  /** Notes that Redis is away from now on, so lookups may fail. */
  void beginOutage() {
    isOutage = true;
  }

  /**
   * Waits until the server has found out that Redis is there again.
   *
   * @return whether it did in this time
   */
  boolean endOutage(Duration longest) {
    long deadline = System.nanoTime() + longest.toNanos();
    while (System.nanoTime() < deadline) {
      if (sweep().isPresent()) {
        isOutage = false;
        return true;
      }
      Waits.pause(20);
    }
    isOutage = false;
    return false;
  }

  /**
   * Looks up all entities in one request and gives the version that answered; empty after an error.
   */
  Optional<String> sweep() {
    return lookUp(IntStream.rangeClosed(1, Truth.ENTITIES + 50).boxed().toList());
  }

  long answers() {
    return answers.get();
  }

  long entities() {
    return entities.get();
  }

  long wrong() {
    return wrong.get();
  }

  long errorsInOutages() {
    return errorsInOutages.get();
  }

  long errorsElsewhere() {
    return errorsElsewhere.get();
  }

  @Override
  public void close() {
    isClosed = true;
    try {
      for (Thread thread : threads) {
        thread.join(10_000);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    channel.shutdownNow();
  }

  private void lookUp(Random random) {
    while (!isClosed) {
      lookUp(
          random
              .ints(1 + random.nextInt(MAX_IDS), 1, Truth.ENTITIES + 50)
              .distinct()
              .boxed()
              .toList());
      Waits.pause(PAUSE_MILLIS);
    }
  }

  private Optional<String> lookUp(List<Integer> ids) {
    boolean wasOutage = isOutage;
    GetOnlineFeaturesRequest request =
        GetOnlineFeaturesRequest.newBuilder()
            .addAllEntityIds(ids.stream().map(id -> Integer.toString(id)).toList())
            .setEntity("user")
            .build();
    GetOnlineFeaturesResponse answer;
    try {
      answer =
          FeatureStoreServiceGrpc.newBlockingStub(channel)
              .withDeadlineAfter(5, TimeUnit.SECONDS)
              .getOnlineFeatures(request);
    } catch (StatusRuntimeException e) {
      if ((wasOutage || isOutage) && AWAY.contains(e.getStatus().getCode())) {
        errorsInOutages.incrementAndGet();
      } else if (!isClosed) {
        errorsElsewhere.incrementAndGet();
        onWrong.accept("a lookup failed while Redis was there: " + e.getStatus());
      }
      return Optional.empty();
    }
    answers.incrementAndGet();
    entities.addAndGet(ids.size());
    Optional<String> difference = truth.wrong(answer, ids);
    difference.ifPresent(
        text -> {
          wrong.incrementAndGet();
          onWrong.accept(text);
        });
    return answer.getVersionsCount() == 0
        ? Optional.empty()
        : Optional.of(answer.getVersions(0).getVersion());
  }
}
