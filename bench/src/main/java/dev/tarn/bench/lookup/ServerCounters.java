package dev.tarn.bench.lookup;

import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.function.Predicate;

/** Reads counters from a server's metrics. */
final class ServerCounters {

  private ServerCounters() {}

  /**
   * Counts the calls that did not end well so far; 0 if the server has no metrics. h2load takes
   * every answer of HTTP for a success.
   */
  static long failed(ServerProcess server) throws IOException {
    return server.metrics().isEmpty()
        ? 0
        : sum(
            server,
            line -> line.startsWith("tarn_requests_total{") && !line.contains("status=\"OK\""));
  }

  /** Sums up some of a server's counters, which are picked by their lines. */
  static long sum(ServerProcess server, Predicate<String> isMeant) throws IOException {
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(server.metrics().orElseThrow()).build(),
              HttpResponse.BodyHandlers.ofString())
          .body()
          .lines()
          .filter(isMeant)
          .mapToLong(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' '))))
          .sum();
    } catch (InterruptedException e) {
      throw new TarnException("interrupted", e);
    }
  }
}
