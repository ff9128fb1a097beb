package dev.tarn.bench.live;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc.FeatureStoreServiceFutureStub;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.bench.stream.LivePlace;
import dev.tarn.bench.stream.LiveViews;
import dev.tarn.bench.stream.Traffic;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Measures how long an event takes from the moment before it is sent until an answer has it. Some
 * of the events that are sent are looked for: the entity is asked for again and again, until its
 * sum over 30 days has the event.
 */
final class Freshness implements AutoCloseable {

  private static final int LOOKED_FOR_A_SECOND = 50;
  private static final long LONGEST_SECONDS = 60;
  private static final String FEATURE = LiveViews.FIVE + "_spend_30d";

  /** The milliseconds that events took, sorted. */
  @SuppressWarnings("ArrayRecordComponent") // Nobody compares them.
  record Result(double[] millis) {

    double p(double share) {
      return millis[(int) Math.min(millis.length - 1, Math.floor(millis.length * share))];
    }
  }

  private record LookedFor(int user, long cents, long sent) {}

  private final Spending spending;
  private final ManagedChannel channel;
  private final FeatureStoreServiceFutureStub server;
  private final ScheduledExecutorService again = Executors.newSingleThreadScheduledExecutor();
  private final ConcurrentLinkedQueue<Double> took = new ConcurrentLinkedQueue<>();
  private final AtomicInteger missing = new AtomicInteger();

  Freshness(Spending spending, int port) {
    this.spending = spending;
    this.channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    this.server = FeatureStoreServiceGrpc.newFutureStub(channel);
  }

  /** Sends events at a rate for some seconds after two more seconds, and looks for some of them. */
  Result measure(int perSecond, int seconds) {
    int every = Math.max(1, perSecond / LOOKED_FOR_A_SECOND);
    AtomicInteger count = new AtomicInteger();
    AtomicInteger warmUp = new AtomicInteger(2 * perSecond);
    took.clear();
    try (Traffic traffic =
        Traffic.start(
            perSecond,
            () -> {
              boolean isCounting = warmUp.decrementAndGet() < 0;
              if (isCounting && count.incrementAndGet() % every == 0) {
                long sent = System.nanoTime();
                int user = spending.send();
                missing.incrementAndGet();
                ask(new LookedFor(user, spending.cents(user), sent));
              } else {
                var unused = spending.send();
              }
            })) {
      long all = (long) perSecond * (seconds + 2);
      LivePlace.await(
          "the events were not sent", 10L * (seconds + 10), () -> traffic.count() >= all);
    }
    LivePlace.await(
        "events did not come into answers", 2 * LONGEST_SECONDS, () -> missing.get() <= 0);
    double[] millis = took.stream().mapToDouble(Double::doubleValue).toArray();
    Arrays.sort(millis);
    return new Result(millis);
  }

  private void ask(LookedFor event) {
    Futures.addCallback(
        server
            .withDeadlineAfter(5, TimeUnit.SECONDS)
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .setEntity("user")
                    .addEntityIds(Integer.toString(event.user()))
                    .addFeatureNames(FEATURE)
                    .build()),
        new FutureCallback<GetOnlineFeaturesResponse>() {
          @Override
          public void onSuccess(GetOnlineFeaturesResponse answer) {
            told(event, cents(answer, event.user()) >= event.cents());
          }

          @Override
          public void onFailure(Throwable failure) {
            told(event, false);
          }
        },
        again);
  }

  private void told(LookedFor event, boolean isThere) {
    long nanos = System.nanoTime() - event.sent();
    if (isThere || nanos > TimeUnit.SECONDS.toNanos(LONGEST_SECONDS)) {
      took.add(nanos / 1e6);
      missing.decrementAndGet();
    } else {
      // Asking more often would measure the lookups.
      long pause = Math.max(1_000_000, Math.min(20_000_000, nanos / 20));
      var unused = again.schedule(() -> ask(event), pause, TimeUnit.NANOSECONDS);
    }
  }

  private static long cents(GetOnlineFeaturesResponse answer, int user) {
    Value value =
        answer
            .getResultsMap()
            .get(Integer.toString(user))
            .getFeaturesOrDefault(FEATURE, Value.getDefaultInstance());
    return value.hasStringValue()
        ? new BigDecimal(value.getStringValue()).unscaledValue().longValueExact()
        : -1;
  }

  /** The users that answers don't have all payments of, of these. */
  List<Integer> wrong(List<Integer> users) {
    return users.stream()
        .filter(
            user ->
                cents(
                        FeatureStoreServiceGrpc.newBlockingStub(channel)
                            .getOnlineFeatures(
                                GetOnlineFeaturesRequest.newBuilder()
                                    .setEntity("user")
                                    .addEntityIds(Integer.toString(user))
                                    .addFeatureNames(FEATURE)
                                    .build()),
                        user)
                    != spending.cents(user))
        .toList();
  }

  @Override
  public void close() {
    again.shutdownNow();
    channel.shutdownNow();
  }
}
