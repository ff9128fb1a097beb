package dev.tarn.serving.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.legacy.FeatureStoreGrpc;
import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.serving.ServingTest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Checks requests that are broken, and clients that ask whether their connection still lives. */
class TestRequests extends ServingTest {

  /** A string that is none, in the first field. */
  private static final byte[] NOT_UTF_8 = {10, 1, -1};

  private static final int PING = 6;
  private static final int GOAWAY = 7;

  @Test
  void aBrokenRequestOfAnyMethodIsAnInvalidArgument() throws Exception {
    push(1);
    serve();
    List<ServiceDescriptor> services =
        List.of(
            FeatureStoreServiceGrpc.getServiceDescriptor(),
            FeatureStoreGrpc.getServiceDescriptor(),
            HealthGrpc.getServiceDescriptor(),
            ServerReflectionGrpc.getServiceDescriptor());
    for (ServiceDescriptor service : services) {
      for (MethodDescriptor<?, ?> method : service.getMethods()) {
        for (byte[] broken : List.of(new byte[] {-1}, new byte[] {10, 5, 'a'}, NOT_UTF_8)) {
          if (broken == NOT_UTF_8
              && method.equals(FeatureStoreServiceGrpc.getListFeatureViewsMethod())) {
            // It has no field yet, and what is not known is passed over.
            continue;
          }
          Status status = send(method, broken);

          assertThat(status.getCode())
              .as("%s", method.getFullMethodName())
              .isEqualTo(Code.INVALID_ARGUMENT);
          assertThat(status.getDescription())
              .startsWith("the request of " + method.getFullMethodName() + " is no ")
              .contains("Request: its bytes are not that protobuf message");
        }
      }
    }
    assertThat(number()).isEqualTo(1);
  }

  @Test
  void anEmptyRequestIsNoBrokenOne() throws Exception {
    push(1);
    serve();

    Status status = send(FeatureStoreServiceGrpc.getGetOnlineFeaturesMethod(), new byte[0]);

    assertThat(status.getDescription()).startsWith("entity_ids: is empty");
  }

  @Test
  void pingsAreAnsweredFromTheStatedIntervalOn() throws IOException {
    serve("permit-keepalive = 0s");

    assertThat(framesAfterPings(20)).doesNotContain(GOAWAY).contains(PING);
  }

  @Test
  void pingsThatComeMoreOftenEndTheConnection() throws IOException {
    serve();

    assertThat(framesAfterPings(20)).contains(GOAWAY);
  }

  private Status send(MethodDescriptor<?, ?> method, byte[] request) throws Exception {
    MethodDescriptor<byte[], byte[]> raw =
        MethodDescriptor.newBuilder(new Raw(), new Raw())
            .setType(method.getType())
            .setFullMethodName(method.getFullMethodName())
            .build();
    CompletableFuture<Status> ended = new CompletableFuture<>();
    ClientCall<byte[], byte[]> call = server.channel().newCall(raw, CallOptions.DEFAULT);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            ended.complete(status);
          }
        },
        new Metadata());
    call.request(2);
    call.sendMessage(request);
    call.halfClose();
    return ended.get(30, TimeUnit.SECONDS);
  }

  /** Pings over HTTP/2, without calls, and returns the types of the frames that come. */
  private List<Integer> framesAfterPings(int pings) throws IOException {
    List<Integer> types = new ArrayList<>();
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.server().port())) {
      socket.setSoTimeout(30_000);
      OutputStream out = socket.getOutputStream();
      out.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
      out.write(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});
      for (int i = 0; i < pings; i++) {
        out.write(new byte[] {0, 0, 8, PING, 0, 0, 0, 0, 0, 'k', 'e', 'e', 'p', 0, 0, 0, (byte) i});
      }
      DataInputStream in = new DataInputStream(socket.getInputStream());
      int answered = 0;
      while (answered < pings && !types.contains(GOAWAY)) {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        in.skipNBytes(5);
        in.skipNBytes(length);
        types.add(type);
        answered += type == PING ? 1 : 0;
      }
    }
    return types;
  }

  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {

    @Override
    public InputStream stream(byte[] bytes) {
      return new ByteArrayInputStream(bytes);
    }

    @Override
    public byte[] parse(InputStream stream) {
      return new byte[0];
    }
  }
}
