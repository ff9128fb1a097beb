package dev.tarn.serving.ops;

import dev.tarn.cli.TarnException;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.timeout.ReadTimeoutHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Answers operators' tools over HTTP: {@code /metrics}, {@code /healthz} (the process is alive) and
 * {@code /readyz} (lookups can be answered; else 503 with the reason).
 *
 * <p>The probes are answered whatever other requests do. One thread, which never waits, reads and
 * writes all connections, so requests that come slowly or never hold up nobody. If there are very
 * many connections, the one that was silent for longest makes room for the next. Metrics, which
 * take a while to write, are written by a thread of their own.
 */
public final class HttpEndpoints implements AutoCloseable {

  private static final int MAX_CONNECTIONS = 256;

  /** The seconds after which a connection that says nothing ends. */
  private static final int MAX_SILENCE = 60;

  private static final int MAX_WAITING_SCRAPES = 64;

  /** What is answered to a request. */
  record Page(int status, String contentType, String body) {

    static Page text(int status, String line) {
      return new Page(status, "text/plain; charset=utf-8", line + "\n");
    }
  }

  private final EventLoopGroup thread =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("http", true), NioIoHandler.newFactory());
  private final ThreadPoolExecutor scrapes =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING_SCRAPES),
          new DefaultThreadFactory("metrics", true));

  /** The open connections, for their one thread; the longest silent one is the first. */
  private final Set<Channel> connections = new LinkedHashSet<>();

  private final Metrics metrics;
  private final Supplier<Optional<String>> notReady;
  private final Channel server;

  private HttpEndpoints(
      String host, int port, Metrics metrics, Supplier<Optional<String>> notReady) {
    this.metrics = metrics;
    this.notReady = notReady;
    ChannelFuture bound =
        new ServerBootstrap()
            .group(thread)
            .channel(NioServerSocketChannel.class)
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel connection) {
                    connection
                        .pipeline()
                        .addLast(
                            new ReadTimeoutHandler(MAX_SILENCE),
                            new HttpServerCodec(),
                            new HttpExchanges(HttpEndpoints.this));
                  }
                })
            .bind(new InetSocketAddress(host, port))
            .awaitUninterruptibly();
    server = bound.channel();
    if (!bound.isSuccess()) {
      close();
      throw new TarnException(
          "can't listen on %s:%d (%s): stop what uses it or set serving.http-port (-1: no metrics)"
              .formatted(host, port, bound.cause().getMessage()),
          bound.cause());
    }
  }

  /**
   * Begins to listen.
   *
   * @param notReady says why lookups can't be answered; empty if they can
   * @throws TarnException if the address can't be used
   */
  public static HttpEndpoints start(
      String host, int port, Metrics metrics, Supplier<Optional<String>> notReady) {
    return new HttpEndpoints(host, port, metrics, notReady);
  }

  public int port() {
    return ((InetSocketAddress) server.localAddress()).getPort();
  }

  @Override
  public void close() {
    var unusedClosed = server.close().awaitUninterruptibly();
    var unusedEnded = thread.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    var unusedScrapes = scrapes.shutdownNow();
  }

  /** Notes a connection that is new or has just asked for something. */
  void isAwake(Channel connection) {
    connections.remove(connection);
    connections.add(connection);
    if (connections.size() > MAX_CONNECTIONS) {
      Channel silent = connections.iterator().next();
      connections.remove(silent);
      var unused = silent.close();
    }
  }

  void isGone(Channel connection) {
    connections.remove(connection);
  }

  /** Gives the page of a path to what sends it, now or later. */
  void find(String path, Consumer<Page> then) {
    switch (path) {
      case "/healthz" -> then.accept(Page.text(200, "alive"));
      case "/readyz" ->
          then.accept(
              notReady
                  .get()
                  .map(why -> Page.text(503, "not ready: " + why))
                  .orElseGet(() -> Page.text(200, "ready")));
      case "/metrics" -> scrape(then);
      default -> then.accept(Page.text(404, "there are /metrics, /healthz and /readyz"));
    }
  }

  private void scrape(Consumer<Page> then) {
    try {
      scrapes.execute(() -> then.accept(metricsPage()));
    } catch (RejectedExecutionException e) {
      then.accept(Page.text(503, "too many ask for metrics at once: try again later"));
    }
  }

  private Page metricsPage() {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 14);
    try {
      metrics.write(out);
    } catch (IOException | RuntimeException e) {
      return Page.text(500, "the metrics can't be written: " + e);
    }
    return new Page(200, Metrics.CONTENT_TYPE, out.toString(StandardCharsets.UTF_8));
  }
}
