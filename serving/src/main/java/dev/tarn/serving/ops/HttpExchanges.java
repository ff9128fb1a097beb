package dev.tarn.serving.ops;

import dev.tarn.serving.ops.HttpEndpoints.Page;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.ReferenceCountUtil;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** The requests of one HTTP connection, one after the other. */
final class HttpExchanges extends ChannelInboundHandlerAdapter {

  private final HttpEndpoints endpoints;

  /** Tells whether a request waits for its page, or the page for the network. */
  private boolean isBusy;

  HttpExchanges(HttpEndpoints endpoints) {
    this.endpoints = endpoints;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    endpoints.isAwake(context.channel());
    context.fireChannelActive();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    endpoints.isGone(context.channel());
    context.fireChannelInactive();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      if (message instanceof HttpRequest request) {
        answer(context, request);
      }
    } finally {
      // A body, which no request here needs, is passed over.
      ReferenceCountUtil.release(message);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable failure) {
    // The client is gone, or was silent for too long.
    var unused = context.close();
  }

  private void answer(ChannelHandlerContext context, HttpRequest request) {
    if (isBusy) {
      // It did not wait for the answer, as clients do; it gets none, which it can see.
      var unused = context.close();
      return;
    }
    isBusy = true;
    endpoints.isAwake(context.channel());
    boolean isHead = request.method().equals(HttpMethod.HEAD);
    Optional<String> path = path(request);
    if (path.isEmpty()) {
      send(context, Page.text(400, "this is no HTTP request"), false, false);
    } else if (isHead || request.method().equals(HttpMethod.GET)) {
      boolean staysOpen = HttpUtil.isKeepAlive(request);
      endpoints.find(
          path.get(),
          page -> context.executor().execute(() -> send(context, page, isHead, staysOpen)));
    } else {
      send(context, Page.text(405, "only GET and HEAD are answered"), false, false);
    }
  }

  /** Returns what a request asks for; empty if it can't be read. */
  private static Optional<String> path(HttpRequest request) {
    try {
      return request.decoderResult().isSuccess()
          ? Optional.ofNullable(new URI(request.uri()).getPath())
          : Optional.empty();
    } catch (URISyntaxException e) {
      return Optional.empty();
    }
  }

  private void send(ChannelHandlerContext context, Page page, boolean isHead, boolean staysOpen) {
    byte[] body = page.body().getBytes(StandardCharsets.UTF_8);
    ByteBuf sent = isHead ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(body);
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(page.status()), sent);
    response
        .headers()
        .set(HttpHeaderNames.CONTENT_TYPE, page.contentType())
        .setInt(HttpHeaderNames.CONTENT_LENGTH, body.length);
    HttpUtil.setKeepAlive(response, staysOpen);
    var unused =
        context
            .writeAndFlush(response)
            .addListener(
                written -> {
                  isBusy = false;
                  if (!staysOpen) {
                    var unusedClosed = context.close();
                  }
                });
  }
}
