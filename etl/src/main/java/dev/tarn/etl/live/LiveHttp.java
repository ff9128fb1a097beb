package dev.tarn.etl.live;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/** Answers operators' tools over HTTP: {@code /metrics} and {@code /health}. */
final class LiveHttp implements AutoCloseable {

  private static final int BACKLOG = 64;
  private static final String METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

  /** What is answered. */
  record Page(int status, String body) {}

  private final HttpServer server;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          work -> {
            Thread daemon = new Thread(work, "http");
            daemon.setDaemon(true);
            return daemon;
          });

  /**
   * Begins to listen.
   *
   * @throws TarnException if the address can't be used
   */
  LiveHttp(String host, int port, Supplier<String> metrics, Supplier<Page> health) {
    try {
      server = HttpServer.create(new InetSocketAddress(host, port), BACKLOG);
    } catch (IOException e) {
      throw new TarnException(
          "can't listen on %s:%d (%s): stop what uses it, or set live.http-port (0: any free port, -1: none)"
              .formatted(host, port, e.getMessage()),
          e);
    }
    server.setExecutor(thread);
    server.createContext("/", exchange -> send(exchange, 404, "there are /metrics and /health\n"));
    server.createContext(
        "/metrics",
        exchange -> {
          exchange.getResponseHeaders().set("Content-Type", METRICS_TYPE);
          send(exchange, 200, metrics.get());
        });
    server.createContext(
        "/health",
        exchange -> {
          Page page = health.get();
          send(exchange, page.status(), page.body());
        });
    server.start();
  }

  int port() {
    return server.getAddress().getPort();
  }

  private static void send(HttpExchange exchange, int status, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().putIfAbsent("Content-Type", List.of("text/plain; charset=utf-8"));
    exchange.sendResponseHeaders(status, body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      out.write(body);
    }
  }

  @Override
  public void close() {
    server.stop(0);
    var unused = thread.shutdownNow();
  }
}
