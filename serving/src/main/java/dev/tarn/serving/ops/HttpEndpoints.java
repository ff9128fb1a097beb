package dev.tarn.serving.ops;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.tarn.cli.TarnException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;

/**
 * Answers operators' tools over HTTP: {@code /metrics}, {@code /healthz} (the process is alive) and
 * {@code /readyz} (lookups can be answered; else 503 with the reason).
 */
public final class HttpEndpoints implements AutoCloseable {

  private static final int THREADS = 2;

  static {
    // In seconds. Without these, clients that send slowly would take the threads from the probes.
    System.getProperties().putIfAbsent("sun.net.httpserver.maxReqTime", "10");
    System.getProperties().putIfAbsent("sun.net.httpserver.maxRspTime", "10");
  }

  private record Page(int status, String contentType, String body) {

    static Page text(int status, String line) {
      return new Page(status, "text/plain; charset=utf-8", line + "\n");
    }
  }

  private interface Source {
    Page get() throws IOException;
  }

  private final HttpServer server;
  private final ExecutorService threads =
      Executors.newFixedThreadPool(
          THREADS,
          task -> {
            Thread daemon = new Thread(task, "http");
            daemon.setDaemon(true);
            return daemon;
          });

  private HttpEndpoints(HttpServer server, Metrics metrics, Supplier<Optional<String>> notReady) {
    this.server = server;
    server.setExecutor(threads);
    serve("/metrics", () -> metricsPage(metrics));
    serve("/healthz", () -> Page.text(200, "alive"));
    serve(
        "/readyz",
        () ->
            notReady
                .get()
                .map(why -> Page.text(503, "not ready: " + why))
                .orElseGet(() -> Page.text(200, "ready")));
    serve("/", () -> Page.text(404, "there are /metrics, /healthz and /readyz"));
  }

  /**
   * Begins to listen.
   *
   * @param notReady says why lookups can't be answered; empty if they can
   * @throws TarnException if the address can't be used
   */
  public static HttpEndpoints start(
      String host, int port, Metrics metrics, Supplier<Optional<String>> notReady) {
    try {
      HttpServer server = HttpServer.create(new InetSocketAddress(host, port), 0);
      HttpEndpoints endpoints = new HttpEndpoints(server, metrics, notReady);
      server.start();
      return endpoints;
    } catch (IOException e) {
      throw new TarnException(
          "can't listen on %s:%d (%s): stop what uses it or set serving.http-port (-1: no metrics)"
              .formatted(host, port, e.getMessage()),
          e);
    }
  }

  public int port() {
    return server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void serve(String path, Source source) {
    server.createContext(
        path,
        exchange -> {
          try (exchange) {
            // A context gets all paths that begin with its own.
            boolean isHere = path.equals("/") || exchange.getRequestURI().getPath().equals(path);
            send(exchange, isHere ? source.get() : Page.text(404, "there is nothing here"));
          }
        });
  }

  private static void send(HttpExchange exchange, Page found) throws IOException {
    String method = exchange.getRequestMethod();
    boolean isHead = method.equals("HEAD");
    Page page =
        isHead || method.equals("GET") ? found : Page.text(405, "only GET and HEAD are answered");
    exchange.getResponseHeaders().set("Content-Type", page.contentType());
    byte[] body = page.body().getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(page.status(), isHead ? -1 : body.length);
    if (!isHead) {
      exchange.getResponseBody().write(body);
    }
  }

  private static Page metricsPage(Metrics metrics) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream(1 << 14);
    metrics.write(out);
    return new Page(200, Metrics.CONTENT_TYPE, out.toString(StandardCharsets.UTF_8));
  }
}
