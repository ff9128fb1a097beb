package dev.tarn.etl.bench;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The programs that send the requests, neither of them ours: h2load (of nghttp2), which costs
 * little and sends one request again and again, and ghz, which sends other entities each time and
 * takes more processor time than the servers do.
 */
final class LoadGenerators {

  /** Enough that neither server ever waits for the next request. */
  private static final List<String> SATURATING = List.of("-c", "8", "-m", "8");

  /** h2load sends what is due on a connection every ten milliseconds: so four at once. */
  private static final int PER_CONNECTION = 400;

  /** As many as may be under way on a connection, so that a late answer holds nothing back. */
  private static final int MAX_STREAMS = 200;

  private static final Pattern RATE = Pattern.compile("finished in [^,]+, ([0-9.]+) req/s");
  private static final Pattern FAILED = Pattern.compile("(\\d+) failed, (\\d+) errored");

  private final Path folder;

  LoadGenerators(Path folder) {
    this.folder = folder;
  }

  /** In microseconds, from sending a request to the end of its answer. */
  record Latency(double p50, double p99, double p999) {}

  /** Whether a program is on the PATH. */
  static boolean has(String program) {
    return Stream.of(System.getenv("PATH").split(":", -1))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
  }

  /** Requests a second at saturation: whenever an answer comes, the next request goes out. */
  double saturate(int port, String method, byte[] request, int seconds) throws IOException {
    List<String> words = new ArrayList<>(SATURATING);
    words.addAll(List.of("-D", Integer.toString(seconds)));
    return rate(h2load(port, method, request, words));
  }

  /** Latencies of so many requests, sent at a rate of its own, whether or not answers come. */
  Latency pace(int port, String method, byte[] request, double perSecond, long requests)
      throws IOException {
    Path log = folder.resolve("h2load.log");
    Files.deleteIfExists(log);
    int connections = (int) Math.ceil(perSecond / PER_CONNECTION);
    var unused =
        h2load(
            port,
            method,
            request,
            List.of(
                "-c",
                Integer.toString(connections),
                // Begun one after the other, or all would send in the same moment.
                "-r",
                Integer.toString((int) Math.ceil(connections / 10.0)),
                "--rate-period",
                "1ms",
                "-m",
                Integer.toString(MAX_STREAMS),
                "-n",
                Long.toString(requests),
                "--rps",
                "%.3f".formatted(perSecond / connections),
                "--log-file",
                log.toString()));
    // Start, HTTP status, microseconds.
    double[] micros;
    try (Stream<String> lines = Files.lines(log)) {
      micros = lines.mapToDouble(line -> Double.parseDouble(line.split("\t", -1)[2])).toArray();
    }
    Files.delete(log);
    if (micros.length != requests) {
      throw new TarnException(
          "h2load sent %d requests and has logged %d".formatted(requests, micros.length));
    }
    Arrays.sort(micros);
    return new Latency(at(micros, 0.5), at(micros, 0.99), at(micros, 0.999));
  }

  /**
   * Requests a second at saturation, with another body for each.
   *
   * @param bodies a JSON array of requests, sent in turn
   */
  double saturateWithMany(int port, String method, Path bodies, int seconds) throws IOException {
    String answer =
        run(
            List.of(
                "ghz",
                "--insecure",
                "--call",
                method,
                "--data-file",
                bodies.toString(),
                "--concurrency",
                "64",
                "--connections",
                "8",
                "--duration",
                seconds + "s",
                "--duration-stop",
                "wait",
                "--format",
                "json",
                "127.0.0.1:" + port));
    JsonObject report = JsonParser.parseString(answer).getAsJsonObject();
    JsonObject statuses = report.getAsJsonObject("statusCodeDistribution");
    if (!statuses.keySet().equals(java.util.Set.of("OK"))) {
      throw new TarnException("not all lookups succeeded: " + statuses);
    }
    return report.get("rps").getAsDouble();
  }

  private String h2load(int port, String method, byte[] request, List<String> words)
      throws IOException {
    // As gRPC has it: not compressed, length, message.
    ByteBuffer framed = ByteBuffer.allocate(5 + request.length);
    framed.put((byte) 0).putInt(request.length).put(request);
    Path body = Files.write(folder.resolve("request.bin"), framed.array());
    List<String> command = new ArrayList<>(List.of("h2load", "-t", "1"));
    command.addAll(words);
    command.addAll(
        List.of(
            "-d",
            body.toString(),
            "-H",
            "content-type: application/grpc",
            "-H",
            "te: trailers",
            "http://127.0.0.1:%d/%s".formatted(port, method)));
    String said = run(command);
    Matcher failed = FAILED.matcher(said);
    if (!failed.find() || !failed.group(1).equals("0") || !failed.group(2).equals("0")) {
      throw new TarnException("h2load could not do all requests: " + said);
    }
    return said;
  }

  private static double rate(String said) {
    Matcher rate = RATE.matcher(said);
    if (!rate.find()) {
      throw new TarnException("h2load told no rate: " + said);
    }
    return Double.parseDouble(rate.group(1));
  }

  private static String run(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said;
    try (var output = process.getInputStream()) {
      said = new String(output.readAllBytes(), StandardCharsets.UTF_8);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    try {
      if (process.waitFor() != 0) {
        throw new TarnException("%s failed: %s".formatted(command.get(0), said));
      }
    } catch (InterruptedException e) {
      process.destroy();
      throw new TarnException("interrupted", e);
    }
    return said;
  }

  private static double at(double[] sorted, double share) {
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }
}
