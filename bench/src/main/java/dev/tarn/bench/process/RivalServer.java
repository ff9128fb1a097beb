package dev.tarn.bench.process;

import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.output.ValueOutput;
import io.lettuce.core.protocol.AsyncCommand;
import io.lettuce.core.protocol.Command;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Serves as a rival of Tarn's server in {@code ./tarn bench lookup}, with grpc-java and Lettuce as
 * they come. There are two kinds:
 *
 * <ul>
 *   <li>{@code floor} does the least that a lookup can. It reads no request, gets as many keys as
 *       there are entities and answers with ready bytes, those of Tarn's answer. It gets the keys
 *       by a GET for each, all in one flush, or by one MGET, which is not possible when rows are
 *       spread over several Redis servers.
 *   <li>{@code objects} reads the request, gets the rows as the floor does and builds the answer
 *       from protobuf's objects, as anyone would at first. A row is its doubles, with nothing to
 *       decode.
 * </ul>
 *
 * The key of an entity's row is {@code <features>:<id>}.
 */
public final class RivalServer {

  private static final String SERVICE = "rival";

  private final StatefulRedisConnection<byte[], byte[]> redis;

  private RivalServer(StatefulRedisConnection<byte[], byte[]> redis) {
    this.redis = redis;
  }

  /**
   * Prints where it listens, and serves until it is killed. It takes one of these:
   *
   * <ul>
   *   <li>{@code floor}, the port of Redis and a folder of answers, each in a file named {@code
   *       <entities>x<features>…}. The methods are {@code rival/get-<file>} and {@code
   *       rival/mget-<file>}.
   *   <li>{@code objects}, the port of Redis and numbers of features, separated by commas. The
   *       methods are {@code rival/objects-<features>}.
   * </ul>
   */
  public static void main(String[] args) throws IOException, InterruptedException {
    RivalServer rival =
        new RivalServer(
            RedisClient.create("redis://127.0.0.1:" + args[1]).connect(ByteArrayCodec.INSTANCE));
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .addService(
                args[0].equals("floor") ? rival.floor(Path.of(args[2])) : rival.objects(args[2]))
            .build()
            .start();
    System.out.println("serving on 127.0.0.1:" + server.getPort());
    server.awaitTermination();
  }

  private ServerServiceDefinition floor(Path answers) throws IOException {
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(SERVICE);
    List<Path> files;
    try (Stream<Path> all = Files.list(answers)) {
      files = all.toList();
    }
    for (Path file : files) {
      String name = file.getFileName().toString();
      String[] numbers = name.split("[^0-9]+", 3);
      byte[][] keys =
          IntStream.range(0, Integer.parseInt(numbers[0]))
              .mapToObj(id -> bytes(numbers[1] + ":" + id))
              .toArray(byte[][]::new);
      byte[] answer = Files.readAllBytes(file);
      service.addMethod(
          method("get-" + name, new Bytes(), new Bytes()),
          ServerCalls.asyncUnaryCall(
              (request, observer) -> send(observer, get(keys).thenApply(rows -> answer))));
      service.addMethod(
          method("mget-" + name, new Bytes(), new Bytes()),
          ServerCalls.asyncUnaryCall(
              (request, observer) ->
                  send(observer, redis.async().mget(keys).thenApply(rows -> answer))));
    }
    return service.build();
  }

  private ServerServiceDefinition objects(String widths) {
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(SERVICE);
    for (String features : widths.split(",", -1)) {
      service.addMethod(
          method(
              "objects-" + features,
              ProtoUtils.marshaller(GetOnlineFeaturesRequest.getDefaultInstance()),
              ProtoUtils.marshaller(GetOnlineFeaturesResponse.getDefaultInstance())),
          ServerCalls.asyncUnaryCall(
              (request, observer) -> {
                List<String> ids = request.getEntityIdsList();
                byte[][] keys =
                    ids.stream().map(id -> bytes(features + ":" + id)).toArray(byte[][]::new);
                send(observer, get(keys).thenApply(rows -> built(ids, rows)));
              }));
    }
    return service.build();
  }

  /** Sends a GET for each key, in one flush. */
  private CompletableFuture<List<byte[]>> get(byte[][] keys) {
    List<AsyncCommand<byte[], byte[], byte[]>> commands =
        Stream.of(keys)
            .map(
                key ->
                    new AsyncCommand<>(
                        new Command<>(
                            CommandType.GET,
                            new ValueOutput<>(ByteArrayCodec.INSTANCE),
                            new CommandArgs<>(ByteArrayCodec.INSTANCE).addKey(key))))
            .toList();
    var unused = redis.dispatch(commands);
    return CompletableFuture.allOf(commands.toArray(new CompletableFuture<?>[0]))
        .thenApply(all -> commands.stream().map(CompletableFuture::join).toList());
  }

  private static GetOnlineFeaturesResponse built(List<String> ids, List<byte[]> rows) {
    GetOnlineFeaturesResponse.Builder answer = GetOnlineFeaturesResponse.newBuilder();
    for (int row = 0; row < ids.size(); row++) {
      FeatureSet.Builder features = FeatureSet.newBuilder();
      ByteBuffer values = ByteBuffer.wrap(rows.get(row));
      for (int i = 0; values.hasRemaining(); i++) {
        features.putFeatures(
            "f" + i, Value.newBuilder().setNumberValue(values.getDouble()).build());
      }
      answer.putResults(ids.get(row), features.build());
    }
    return answer.build();
  }

  private static <Q, A> MethodDescriptor<Q, A> method(
      String name, MethodDescriptor.Marshaller<Q> request, MethodDescriptor.Marshaller<A> answer) {
    return MethodDescriptor.<Q, A>newBuilder(request, answer)
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName(SERVICE + "/" + name)
        .build();
  }

  private static <T> void send(StreamObserver<T> observer, CompletionStage<T> answer) {
    var unused =
        answer.whenComplete(
            (message, failure) -> {
              if (failure != null) {
                observer.onError(Status.UNAVAILABLE.withCause(failure).asRuntimeException());
                return;
              }
              observer.onNext(message);
              observer.onCompleted();
            });
  }

  private static byte[] bytes(String id) {
    return id.getBytes(StandardCharsets.UTF_8);
  }

  /** Leaves messages as they are. */
  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {

    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream message) {
      try {
        return message.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
