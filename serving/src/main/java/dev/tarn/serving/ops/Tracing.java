package dev.tarn.serving.ops;

import dev.tarn.redis.RedisSettings;
import io.grpc.Metadata;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.util.concurrent.TimeUnit;

/**
 * Begins the spans of calls and sends them by OTLP. A span is part of the client's trace if the
 * call names one (W3C's {@code traceparent}). A receiver that is slow or gone costs spans and
 * nothing else: a thread of its own sends them, from a queue that drops what it can't take.
 *
 * <p>Without {@code serving.tracing.endpoint} there is no object of this class, and no class of
 * OpenTelemetry is loaded.
 */
public final class Tracing implements AutoCloseable {

  private static final AttributeKey<String> SERVICE = AttributeKey.stringKey("service.name");
  private static final AttributeKey<String> RPC_SYSTEM = AttributeKey.stringKey("rpc.system.name");
  private static final AttributeKey<String> RPC_METHOD = AttributeKey.stringKey("rpc.method");
  private static final AttributeKey<String> DB_SYSTEM = AttributeKey.stringKey("db.system.name");
  private static final AttributeKey<String> DB_OPERATION =
      AttributeKey.stringKey("db.operation.name");
  private static final AttributeKey<String> ADDRESS = AttributeKey.stringKey("server.address");
  private static final AttributeKey<Long> PORT = AttributeKey.longKey("server.port");

  private static final long LAST_SPANS_SECONDS = 2;

  private static final TextMapGetter<Metadata> HEADERS =
      new TextMapGetter<>() {
        @Override
        public Iterable<String> keys(Metadata headers) {
          return headers.keys();
        }

        @Override
        public String get(Metadata headers, String key) {
          return headers.get(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER));
        }
      };

  private final SdkTracerProvider provider;
  private final Tracer tracer;
  private final Attributes redis;

  public Tracing(TracingSettings settings, RedisSettings redisSettings) {
    provider =
        SdkTracerProvider.builder()
            .setResource(
                Resource.getDefault()
                    .merge(Resource.create(Attributes.of(SERVICE, "tarn-serving"))))
            .setSampler(Sampler.parentBased(Sampler.traceIdRatioBased(settings.sample())))
            .addSpanProcessor(
                BatchSpanProcessor.builder(
                        OtlpGrpcSpanExporter.builder().setEndpoint(settings.endpoint()).build())
                    .build())
            .build();
    tracer = provider.get("dev.tarn.serving");
    redis =
        Attributes.builder()
            .put(DB_SYSTEM, "redis")
            .put(DB_OPERATION, "HGET")
            .put(ADDRESS, redisSettings.host())
            .put(PORT, (long) redisSettings.port())
            .build();
  }

  /** Begins the span of a call that has arrived. */
  CallTrace begin(String method, Metadata headers) {
    Context client =
        W3CTraceContextPropagator.getInstance().extract(Context.root(), headers, HEADERS);
    Span call =
        tracer
            .spanBuilder(method)
            .setParent(client)
            .setSpanKind(SpanKind.SERVER)
            .setAttribute(RPC_SYSTEM, "grpc")
            .setAttribute(RPC_METHOD, method)
            .startSpan();
    return new CallTrace(this, call);
  }

  /** Begins the span of a read of Redis, as part of a call. */
  Span read(Span call) {
    return tracer
        .spanBuilder("HGET")
        .setParent(Context.root().with(call))
        .setSpanKind(SpanKind.CLIENT)
        .setAllAttributes(redis)
        .startSpan();
  }

  /** Sends the last spans, if their receiver takes them soon. */
  @Override
  public void close() {
    var unused = provider.shutdown().join(LAST_SPANS_SECONDS, TimeUnit.SECONDS);
  }
}
