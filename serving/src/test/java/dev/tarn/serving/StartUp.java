package dev.tarn.serving;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import io.grpc.ManagedChannel;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Measures how long a server takes from exec to its first answer, with a real Redis. It prints the
 * milliseconds of each run and their median; the first run of {@code ./tarn serve} has no archive
 * of classes yet.
 *
 * <pre>
 * mvn -q -pl proto,serving package dependency:build-classpath -DskipTests -Dmdep.outputFile=target/classpath
 * java -cp serving/target/test-classes:serving/target/classes:$(cat serving/target/classpath) \
 *   dev.tarn.serving.StartUp 11 ./tarn serve
 * </pre>
 */
final class StartUp {

  private static final long STEP = TimeUnit.MILLISECONDS.toNanos(1);

  private StartUp() {}

  /** Takes the number of runs and the command that starts a server. */
  public static void main(String[] args) throws IOException, InterruptedException {
    long[] millis = new long[Integer.parseInt(args[0])];
    RedisSettings redis = RedisFixture.shared().settings();
    try (Pushes pushes = new Pushes(redis)) {
      pushes.view("a", "user").feature("n", Kind.KIND_BIGINT).row("u1", 1L).write("v1");
      pushes.release("a", "v1");
    }
    for (int run = 0; run < millis.length; run++) {
      int port = RedisFixture.freePort();
      List<String> command = new ArrayList<>(List.of(args).subList(1, args.length));
      command.add("serving.port=" + port);
      command.add("serving.http-port=0");
      command.add("redis.port=" + redis.port());
      command.add("redis.namespace=" + RedisFixture.namespace(redis));
      long start = System.nanoTime();
      Process server =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      awaitAnswer(port);
      millis[run] = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
      server.destroy();
      server.waitFor();
    }
    System.out.println(Arrays.toString(millis));
    Arrays.sort(millis);
    System.out.printf("median %d ms%n", millis[millis.length / 2]);
  }

  private static void awaitAnswer(int port) throws InterruptedException {
    while (!isListening(port)) {
      LockSupport.parkNanos(STEP);
    }
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    FeatureStoreServiceBlockingStub stub = FeatureStoreServiceGrpc.newBlockingStub(channel);
    try {
      while (!isAnswered(stub)) {
        LockSupport.parkNanos(STEP);
      }
    } finally {
      channel.shutdownNow().awaitTermination(1, TimeUnit.SECONDS);
    }
  }

  private static boolean isListening(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean isAnswered(FeatureStoreServiceBlockingStub stub) {
    try {
      return stub.getOnlineFeatures(ServerFixture.request("u1").build()).getResultsCount() == 1;
    } catch (StatusRuntimeException e) {
      if (e.getStatus().getCode() == Code.UNAVAILABLE) {
        return false;
      }
      throw e;
    }
  }
}
