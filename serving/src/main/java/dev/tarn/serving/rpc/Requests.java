package dev.tarn.serving.rpc;

import com.google.protobuf.Message;
import dev.tarn.serving.ops.CallRecord;
import io.grpc.BindableService;
import io.grpc.ForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.InputStream;

/**
 * Ends the calls whose requests can't be taken, with the reason: those that are broken, and those
 * for which there is no memory. By itself gRPC says of a broken request that it is UNKNOWN what
 * went wrong, as if the fault were the server's.
 */
final class Requests implements ServerInterceptor {

  /** Returns a service whose broken requests this interceptor tells from others. */
  static ServerServiceDefinition checked(BindableService service) {
    ServerServiceDefinition generated = service.bindService();
    ServiceDescriptor.Builder descriptor =
        ServiceDescriptor.newBuilder(generated.getServiceDescriptor().getName())
            .setSchemaDescriptor(generated.getServiceDescriptor().getSchemaDescriptor());
    var methods = generated.getMethods().stream().map(Requests::checked).toList();
    methods.forEach(method -> descriptor.addMethod(method.getMethodDescriptor()));
    ServerServiceDefinition.Builder checked = ServerServiceDefinition.builder(descriptor.build());
    methods.forEach(checked::addMethod);
    return checked.build();
  }

  private static <Q, A> ServerMethodDefinition<Q, A> checked(ServerMethodDefinition<Q, A> method) {
    MethodDescriptor<Q, A> descriptor = method.getMethodDescriptor();
    return ServerMethodDefinition.create(
        descriptor.toBuilder(
                new Checked<>((PrototypeMarshaller<Q>) descriptor.getRequestMarshaller()),
                descriptor.getResponseMarshaller())
            .build(),
        method.getServerCallHandler());
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Incoming<Q, A> incoming = new Incoming<>(call, next.startCall(call, headers));
    CallRecord.current()
        .ifPresent(record -> record.onRefused(why -> incoming.end(Failures.of(why).getStatus())));
    return incoming;
  }

  /** Passes on what comes from the client until the call is ended here. */
  private static final class Incoming<Q, A>
      extends ForwardingServerCallListener.SimpleForwardingServerCallListener<Q> {

    private final ServerCall<Q, A> call;
    private boolean isEnded;

    Incoming(ServerCall<Q, A> call, ServerCall.Listener<Q> next) {
      super(next);
      this.call = call;
    }

    void end(Status status) {
      if (!isEnded) {
        isEnded = true;
        call.close(status, new Metadata());
      }
    }

    @Override
    public void onMessage(Q request) {
      MethodDescriptor<Q, A> method = call.getMethodDescriptor();
      if (((Checked<Q>) method.getRequestMarshaller()).isBroken(request)) {
        end(
            Failures.broken(
                method.getFullMethodName(),
                ((Message) request).getDescriptorForType().getFullName()));
      }
      if (!isEnded) {
        super.onMessage(request);
      }
    }

    @Override
    public void onHalfClose() {
      if (!isEnded) {
        super.onHalfClose();
      }
    }

    @Override
    public void onReady() {
      if (!isEnded) {
        super.onReady();
      }
    }
  }

  /** Reads requests, and gives one and the same message for all that are broken. */
  private static final class Checked<Q> implements PrototypeMarshaller<Q> {

    private final PrototypeMarshaller<Q> marshaller;
    private final Q broken;

    @SuppressWarnings("unchecked")
    Checked(PrototypeMarshaller<Q> marshaller) {
      this.marshaller = marshaller;
      Message prototype = (Message) marshaller.getMessagePrototype();
      broken = (Q) prototype.newBuilderForType().build();
    }

    boolean isBroken(Q request) {
      return request == broken;
    }

    @Override
    public Q parse(InputStream stream) {
      try {
        return marshaller.parse(stream);
      } catch (StatusRuntimeException e) {
        return broken;
      }
    }

    @Override
    public InputStream stream(Q value) {
      return marshaller.stream(value);
    }

    @Override
    public Q getMessagePrototype() {
      return marshaller.getMessagePrototype();
    }

    @Override
    public Class<Q> getMessageClass() {
      return marshaller.getMessageClass();
    }
  }
}
