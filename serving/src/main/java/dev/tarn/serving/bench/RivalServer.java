package dev.tarn.serving.bench;

import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.lettuce.core.KeyValue;
import io.lettuce.core.RedisClient;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
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
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;

/**
 * The servers that {@code ./tarn bench lookup} holds Tarn's against, made of grpc-java and Lettuce
 * as they come, for one kind of request each:
 *
 * <ul>
 *   <li>The floor does the least that a lookup can: it reads no request, gets as many keys as there
 *       are entities (GET, or one MGET) and answers bytes that are ready, those of Tarn's answer.
 *   <li>The other reads the request, gets the rows by one MGET and builds the answer as protobuf's
 *       objects, as anyone would at first. A row is its doubles, with nothing to decode.
 * </ul>
 */
public final class RivalServer {

  private RivalServer() {}

  /**
   * {@code floor}, the port of Redis, a file with the answer, entities of a request; or {@code
   * objects}, the port of Redis. It prints where it listens and serves until it is killed. The
   * methods are {@code rival/floor} and {@code rival/objects}; the keys are the entity ids.
   */
  public static void main(String[] args) throws IOException, InterruptedException {
    RedisAsyncCommands<byte[], byte[]> redis =
        RedisClient.create("redis://127.0.0.1:" + args[1]).connect(ByteArrayCodec.INSTANCE).async();
    ServerServiceDefinition service =
        args[0].equals("floor")
            ? floor(redis, Files.readAllBytes(Path.of(args[2])), Integer.parseInt(args[3]))
            : objects(redis);
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .directExecutor()
            .addService(service)
            .build()
            .start();
    System.out.println("serving on 127.0.0.1:" + server.getPort());
    server.awaitTermination();
  }

  private static ServerServiceDefinition floor(
      RedisAsyncCommands<byte[], byte[]> redis, byte[] answer, int entities) {
    byte[][] keys =
        IntStream.range(0, entities)
            .mapToObj(id -> bytes(Integer.toString(id)))
            .toArray(byte[][]::new);
    MethodDescriptor<byte[], byte[]> method =
        MethodDescriptor.<byte[], byte[]>newBuilder(new Bytes(), new Bytes())
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("rival/floor")
            .build();
    return ServerServiceDefinition.builder("rival")
        .addMethod(
            method,
            ServerCalls.asyncUnaryCall(
                (request, observer) ->
                    send(
                        observer,
                        (entities == 1 ? redis.get(keys[0]) : redis.mget(keys))
                            .thenApply(rows -> answer))))
        .build();
  }

  private static ServerServiceDefinition objects(RedisAsyncCommands<byte[], byte[]> redis) {
    MethodDescriptor<GetOnlineFeaturesRequest, GetOnlineFeaturesResponse> method =
        MethodDescriptor.<GetOnlineFeaturesRequest, GetOnlineFeaturesResponse>newBuilder(
                ProtoUtils.marshaller(GetOnlineFeaturesRequest.getDefaultInstance()),
                ProtoUtils.marshaller(GetOnlineFeaturesResponse.getDefaultInstance()))
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("rival/objects")
            .build();
    return ServerServiceDefinition.builder("rival")
        .addMethod(
            method,
            ServerCalls.asyncUnaryCall(
                (request, observer) ->
                    send(
                        observer,
                        redis
                            .mget(
                                request.getEntityIdsList().stream()
                                    .map(RivalServer::bytes)
                                    .toArray(byte[][]::new))
                            .thenApply(RivalServer::built))))
        .build();
  }

  private static GetOnlineFeaturesResponse built(List<KeyValue<byte[], byte[]>> rows) {
    GetOnlineFeaturesResponse.Builder answer = GetOnlineFeaturesResponse.newBuilder();
    for (KeyValue<byte[], byte[]> row : rows) {
      FeatureSet.Builder features = FeatureSet.newBuilder();
      ByteBuffer values = ByteBuffer.wrap(row.getValue());
      for (int i = 0; values.hasRemaining(); i++) {
        features.putFeatures(
            "f" + i, Value.newBuilder().setNumberValue(values.getDouble()).build());
      }
      answer.putResults(new String(row.getKey(), StandardCharsets.UTF_8), features.build());
    }
    return answer.build();
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

  /** Messages as they are. */
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
