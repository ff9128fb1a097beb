package dev.tarn.bench.lookup;

import dev.tarn.bench.lookup.JvmMeter.Used;
import dev.tarn.bench.testbed.BenchRedis;
import dev.tarn.bench.testbed.LoadGenerators;
import dev.tarn.bench.testbed.LoadGenerators.Saturation;
import dev.tarn.bench.testbed.ServerProcess;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.console.Console;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Measures what the near cache gains: vectors of a hundred entities a request, a few of which are
 * asked for often, answered by a server without the near cache and by one with it.
 */
final class SkewedLookups {

  private static final LookupShape SHAPE = new LookupShape(true, 100, LookupShape.WIDTH);

  /** Long, because these servers have answered nothing else before. */
  private static final int WARM_UP_SECONDS = 25;

  private static final int ROUNDS = 3;
  private static final int ROUND_SECONDS = 3;

  /** Different requests that are sent in turn. */
  private static final int REQUESTS = 10_000;

  /** Bytes of the near cache for each entity that it is to hold. */
  private static final int NEAR_BYTES = 320;

  private final LookupServers servers;
  private final BenchRedis redis;
  private final LoadGenerators load;
  private final Console console;
  private final long entities;

  SkewedLookups(
      LookupServers servers,
      BenchRedis redis,
      LoadGenerators load,
      Console console,
      long entities) {
    this.servers = servers;
    this.redis = redis;
    this.load = load;
    this.console = console;
    this.entities = entities;
  }

  /**
   * Skewed requests at saturation.
   *
   * @param cpuMicros processor time of the server and Redis together, a request; the load generator
   *     takes a part of the processors, so the rate alone does not say it
   */
  record Skewed(double perSecond, double cpuMicros) {

    private static Skewed median(List<Skewed> rounds) {
      return new Skewed(
          Medians.of(rounds.stream().map(Skewed::perSecond)),
          Medians.of(rounds.stream().map(Skewed::cpuMicros)));
    }
  }

  /**
   * The medians of the rounds.
   *
   * @param nearShare the share of the rows that were in the near cache
   */
  record Result(Skewed without, Skewed with, double nearShare) {}

  /** Measures both servers in turn. */
  Result measure() throws IOException {
    // Ids of as many digits each, so that requests are of one length.
    int first = 1;
    while (10L * first < entities) {
      first *= 10;
    }
    int count = Math.toIntExact(entities) - first;
    List<byte[]> requests = requests(first, count);
    long bytes = count / 10L * NEAR_BYTES;
    console.say("%s, Zipf 1.0 over %,d entities, near cache for a tenth of them", SHAPE, count);
    try (ServerProcess without = servers.tarn("without", List.of());
        ServerProcess with = servers.tarn("with", List.of("serving.near-cache-bytes=" + bytes))) {
      List<List<Skewed>> rounds = List.of(new ArrayList<>(), new ArrayList<>());
      for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < 2; i++) {
          Skewed skewed =
              saturate(
                  i == 0 ? without : with,
                  SHAPE.method(),
                  requests,
                  round == 0 ? WARM_UP_SECONDS : ROUND_SECONDS);
          if (round > 0) {
            rounds.get(i).add(skewed);
          }
        }
      }
      // The end of a round cuts off what each client waits for.
      if (Math.max(ServerCounters.failed(without), ServerCounters.failed(with))
          > (ROUNDS + 1L) * LoadGenerators.CLIENTS) {
        throw new TarnException("skewed requests failed");
      }
      double hits = ServerCounters.sum(with, line -> line.startsWith("tarn_near_cache_hits_total"));
      double misses =
          ServerCounters.sum(with, line -> line.startsWith("tarn_near_cache_misses_total"));
      return new Result(
          Skewed.median(rounds.get(0)), Skewed.median(rounds.get(1)), hits / (hits + misses));
    }
  }

  /** Makes requests in which the k-th most frequent id comes 1/k as often as the first. */
  private static List<byte[]> requests(int first, int count) {
    double[] sums = new double[count];
    for (int k = 0; k < count; k++) {
      sums[k] = (k == 0 ? 0 : sums[k - 1]) + 1.0 / (k + 1);
    }
    Random random = new Random(1);
    return IntStream.range(0, REQUESTS)
        .mapToObj(
            i ->
                SHAPE.request(
                    random
                        .doubles(SHAPE.entities(), 0, sums[count - 1])
                        .mapToInt(sum -> Arrays.binarySearch(sums, sum))
                        .map(at -> first + (at < 0 ? -at - 1 : at))))
        .toList();
  }

  private Skewed saturate(ServerProcess server, String method, List<byte[]> requests, int seconds)
      throws IOException {
    try (JvmMeter meter = JvmMeter.of(server.pid())) {
      Used before = meter.used();
      double redisBefore = redis.cpuMicros();
      Saturation saturation = load.saturateWithMany(server.port(), method, requests, seconds);
      double micros = redis.cpuMicros() - redisBefore + meter.used().since(before).cpuNanos() / 1e3;
      return new Skewed(saturation.perSecond(), micros / saturation.requests());
    }
  }
}
