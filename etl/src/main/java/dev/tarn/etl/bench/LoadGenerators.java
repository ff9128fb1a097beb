package dev.tarn.etl.bench;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The programs that send the requests, neither of them ours: h2load (of nghttp2), which costs
 * little and sends one request again and again, and ghz, which sends other entities each time and
 * takes more processor time than the servers do.
 */
final class LoadGenerators {

  /** Enough that neither server ever waits for the next request. */
  private static final List<String> SATURATING = List.of("-c", "8", "-m", "8");

  /**
   * h2load sends what is due on a connection every ten milliseconds: so four at once. Of more
   * connections each costs more, to it and to the servers: of one request at a time so much that
   * they wait for the processor at half of saturation.
   */
  private static final int PER_CONNECTION = 400;

  /** In which connections are made: who measures a server in use has made them long before. */
  static final int RAMP_UP_SECONDS = 1;

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

  /** How many requests were answered, and how many a second. */
  record Saturation(long requests, double perSecond) {}

  /** Whether a program is on the PATH. */
  static boolean has(String program) {
    return Stream.of(System.getenv("PATH").split(":", -1))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
  }

  /** Requests a second at saturation: whenever an answer comes, the next request goes out. */
  double saturate(int port, String method, byte[] request, int seconds) throws IOException {
    List<String> words = new ArrayList<>(SATURATING);
    words.addAll(List.of("-D", Integer.toString(seconds)));
    try (Program saturating = h2load(port, method, request, words)) {
      String said = saturating.said();
      requireAll(said);
      return rate(said);
    }
  }

  /**
   * Latencies at a rate, sent whether or not answers come. A second more than {@code seconds} is
   * sent, and the first does not count.
   */
  Latency pace(int port, String method, byte[] request, double perSecond, int seconds)
      throws IOException {
    int count = (int) Math.ceil(perSecond * (RAMP_UP_SECONDS + seconds));
    int connections = (int) Math.ceil(perSecond / PER_CONNECTION);
    Path log = folder.resolve("h2load.log");
    Files.deleteIfExists(log);
    try (Program pacer =
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
                Integer.toString(count),
                "--rps",
                "%.3f".formatted(perSecond / connections),
                "--log-file",
                log.toString()))) {
      var unused = pacer.said();
    }
    long[] starts = new long[count];
    boolean[] isOk = new boolean[count];
    double[] latencies = new double[count];
    int logged = 0;
    try (BufferedReader lines = Files.newBufferedReader(log)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        // Start in microseconds, HTTP status, microseconds.
        if (logged < count) {
          starts[logged] = Long.parseLong(line.substring(0, line.indexOf('\t')));
          isOk[logged] = line.contains("\t200\t");
          latencies[logged] = Double.parseDouble(line.substring(line.lastIndexOf('\t') + 1));
        }
        logged++;
      }
    }
    Files.delete(log);
    if (logged != count) {
      throw new TarnException("h2load sent %d requests and has logged %d".formatted(count, logged));
    }
    long ready =
        Arrays.stream(starts).min().orElseThrow() + TimeUnit.SECONDS.toMicros(RAMP_UP_SECONDS);
    // A new connection of h2load's may fail requests that it has not even sent.
    long failed = IntStream.range(0, count).filter(i -> starts[i] >= ready && !isOk[i]).count();
    if (failed > 0) {
      throw new TarnException("h2load could not do %d of %d requests".formatted(failed, count));
    }
    double[] micros =
        IntStream.range(0, count)
            .filter(i -> starts[i] >= ready)
            .mapToDouble(i -> latencies[i])
            .toArray();
    Arrays.sort(micros);
    return new Latency(at(micros, 0.5), at(micros, 0.99), at(micros, 0.999));
  }

  /**
   * As many requests as come through, with another body for each.
   *
   * @param bodies a JSON array of requests, sent in turn
   */
  Saturation saturateWithMany(int port, String method, Path bodies, int seconds)
      throws IOException {
    String answer;
    try (Program ghz =
        Program.start(
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
                "127.0.0.1:" + port))) {
      answer = ghz.said();
    }
    JsonObject report = JsonParser.parseString(answer).getAsJsonObject();
    JsonObject statuses = report.getAsJsonObject("statusCodeDistribution");
    if (!statuses.keySet().equals(java.util.Set.of("OK"))) {
      throw new TarnException("not all lookups succeeded: " + statuses);
    }
    return new Saturation(report.get("count").getAsLong(), report.get("rps").getAsDouble());
  }

  private Program h2load(int port, String method, byte[] request, List<String> words)
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
    return Program.start(command);
  }

  private static void requireAll(String said) {
    Matcher failed = FAILED.matcher(said);
    if (!failed.find() || !failed.group(1).equals("0") || !failed.group(2).equals("0")) {
      throw new TarnException("h2load could not do all requests: " + said);
    }
  }

  private static double rate(String said) {
    Matcher rate = RATE.matcher(said);
    if (!rate.find()) {
      throw new TarnException("h2load told no rate: " + said);
    }
    return Double.parseDouble(rate.group(1));
  }

  private static double at(double[] sorted, double share) {
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }

  /** A program that runs. */
  private record Program(String name, Process process) implements AutoCloseable {

    static Program start(List<String> command) throws IOException {
      return new Program(
          command.get(0), new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    /** All that it says, until it ends. */
    String said() throws IOException {
      String said;
      try (var output = process.getInputStream()) {
        said = new String(output.readAllBytes(), StandardCharsets.UTF_8);
      }
      try {
        if (process.waitFor() != 0) {
          throw new TarnException("%s failed: %s".formatted(name, said));
        }
      } catch (InterruptedException e) {
        throw new TarnException("interrupted", e);
      }
      return said;
    }

    @Override
    public void close() {
      process.destroy();
    }
  }
}
