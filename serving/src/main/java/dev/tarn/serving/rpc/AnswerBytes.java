package dev.tarn.serving.rpc;

import dev.tarn.row.WireBuffer;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Hands answers to gRPC as bytes and not as messages. */
final class AnswerBytes implements MethodDescriptor.Marshaller<WireBuffer> {

  private AnswerBytes() {}

  /**
   * Returns a generated service in which the handler of one method answers with the bytes of the
   * response. Reflection and clients see no difference.
   */
  static <T> ServerServiceDefinition bind(
      ServerServiceDefinition generated,
      MethodDescriptor<T, ?> method,
      ServerCalls.UnaryMethod<T, WireBuffer> handler) {
    MethodDescriptor<T, WireBuffer> ofBytes =
        method.toBuilder(method.getRequestMarshaller(), new AnswerBytes()).build();
    ServiceDescriptor.Builder descriptor =
        ServiceDescriptor.newBuilder(generated.getServiceDescriptor().getName())
            .setSchemaDescriptor(generated.getServiceDescriptor().getSchemaDescriptor())
            .addMethod(ofBytes);
    for (MethodDescriptor<?, ?> other : generated.getServiceDescriptor().getMethods()) {
      if (!other.equals(method)) {
        descriptor.addMethod(other);
      }
    }
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor.build());
    service.addMethod(ofBytes, ServerCalls.asyncUnaryCall(handler));
    for (ServerMethodDefinition<?, ?> other : generated.getMethods()) {
      if (!other.getMethodDescriptor().equals(method)) {
        service.addMethod(other);
      }
    }
    return service.build();
  }

  @Override
  public InputStream stream(WireBuffer answer) {
    return new AnswerStream(answer);
  }

  /** Throws always: a server reads no answers. */
  @Override
  public WireBuffer parse(InputStream stream) {
    throw new UnsupportedOperationException();
  }

  /** Hands over all bytes at once; gRPC copies them into its send buffer. */
  private static final class AnswerStream extends InputStream implements Drainable, KnownLength {

    private final WireBuffer answer;
    private int read;

    AnswerStream(WireBuffer answer) {
      this.answer = answer;
    }

    @Override
    public int drainTo(OutputStream target) throws IOException {
      if (read > 0) {
        throw new IllegalStateException("read in part already");
      }
      answer.writeTo(target);
      read = answer.size();
      return read;
    }

    @Override
    public int available() {
      return answer.size() - read;
    }

    @Override
    public int read() {
      byte[] next = new byte[1];
      return read(next, 0, 1) < 0 ? -1 : next[0] & 0xFF;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      int count = Math.min(length, available());
      if (count == 0 && length > 0) {
        return -1;
      }
      answer.copyTo(read, target, offset, count);
      read += count;
      return count;
    }
  }
}
