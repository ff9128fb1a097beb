package dev.tarn.bench.process;

import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import com.google.common.util.concurrent.MoreExecutors;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc.FeatureStoreServiceFutureStub;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import java.util.Arrays;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Looks up one entity at a time while {@code ./tarn bench push} pushes, at a rate that does not
 * depend on answers, and takes the time of each lookup from the moment at which it was due. Prints
 * p50 and p99 in microseconds. It runs in a process of its own, so that the garbage collections of
 * a push do not stop it.
 */
public final class PacedLookups {

  private static final int WARM_UP_SECONDS = 5;

  private PacedLookups() {}

  /**
   * Takes the server's port, the number of entities (with ids from 0), lookups a second, seconds.
   */
  public static void main(String[] args) throws InterruptedException, ExecutionException {
    int entities = Integer.parseInt(args[1]);
    int perSecond = Integer.parseInt(args[2]);
    int count = perSecond * (WARM_UP_SECONDS + Integer.parseInt(args[3]));
    long[] took = new long[count];
    Random random = new Random(1);
    ManagedChannel channel =
        Grpc.newChannelBuilder("127.0.0.1:" + args[0], InsecureChannelCredentials.create()).build();
    FeatureStoreServiceFutureStub server = FeatureStoreServiceGrpc.newFutureStub(channel);
    long start = System.nanoTime();
    ListenableFuture<GetOnlineFeaturesResponse> last = Futures.immediateCancelledFuture();
    for (int i = 0; i < count; i++) {
      long due = start + i * TimeUnit.SECONDS.toNanos(1) / perSecond;
      for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
        LockSupport.parkNanos(wait);
      }
      String id = Integer.toString(random.nextInt(entities));
      last =
          server
              .withDeadlineAfter(5, TimeUnit.SECONDS)
              .getOnlineFeatures(GetOnlineFeaturesRequest.newBuilder().addEntityIds(id).build());
      int at = i;
      last.addListener(() -> took[at] = System.nanoTime() - due, MoreExecutors.directExecutor());
    }
    var unused = last.get();
    TimeUnit.SECONDS.sleep(1);
    channel.shutdownNow();
    long[] measured = Arrays.copyOfRange(took, perSecond * WARM_UP_SECONDS, count);
    Arrays.sort(measured);
    System.out.printf(
        Locale.ROOT,
        "%d %d%n",
        measured[measured.length / 2] / 1_000,
        measured[(int) (measured.length * 0.99)] / 1_000);
  }
}
