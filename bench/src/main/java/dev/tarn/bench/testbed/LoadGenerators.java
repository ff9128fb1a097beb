package dev.tarn.bench.testbed;

import dev.tarn.cli.TarnException;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Sends requests with h2load (of nghttp2), which costs little and is not part of Tarn: either as
 * many as come through, or at a rate, whether or not answers come.
 */
public final class LoadGenerators {

  /** Clients; each sends its next request when it has the answer to the last one. */
  public static final int CLIENTS = 64;

  /**
   * Processes of h2load that pace requests. Each looks once a millisecond for what is due; several
   * do so at different moments, so each sends only a little at once.
   */
  private static final int PACERS = 4;

  /** Requests a second on a connection; with more, the millisecond would delay too many of them. */
  private static final int PER_CONNECTION = 200;

  /** Time between the starts of a pacer's connections, which all send the same. */
  private static final int MILLIS_BETWEEN = 7;

  /**
   * Time in which connections are made; it is not measured, as a server in use has them already.
   */
  private static final int RAMP_UP_SECONDS = 1;

  /** Requests under way on a connection: so many that a late answer holds nothing back. */
  private static final int MAX_STREAMS = 200;

  /** Least share of the planned requests; with less it is another measurement. */
  private static final double MIN_SENT = 0.8;

  private static final Pattern DONE =
      Pattern.compile("finished in [^,]+, ([0-9.]+) req/s.*?(\\d+) succeeded", Pattern.DOTALL);
  private static final Pattern FAILED = Pattern.compile("(\\d+) failed, (\\d+) errored");

  private final Path folder;

  public LoadGenerators(Path folder) {
    this.folder = folder;
  }

  /**
   * The result of a load at a rate.
   *
   * @param requests all that were sent, also those of the first second, which do not count
   * @param perSecond rate of those that count
   * @param p50 microseconds from sending a request to the end of its answer, like the other two
   */
  public record Latency(long requests, double perSecond, double p50, double p99, double p999) {}

  /** The number of requests that were answered, and the number a second. */
  public record Saturation(long requests, double perSecond) {}

  /** Says whether a program is on the PATH. */
  public static boolean has(String program) {
    return Stream.of(System.getenv("PATH").split(":", -1))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
  }

  /** Measures requests a second when each answer is followed by the next request at once. */
  public double saturate(int port, String method, byte[] request, int seconds) throws IOException {
    try (Program saturating =
        h2load(
            port,
            method,
            body("saturating", request),
            List.of("-c", Integer.toString(CLIENTS), "-m", "1", "-D", Integer.toString(seconds)))) {
      return done(saturating.said()).perSecond();
    }
  }

  /**
   * Measures as {@link #saturate} does, with requests that change. h2load reads the body's file for
   * each request, so this writes another request there every few dozen microseconds.
   *
   * @param requests all of one length
   */
  public Saturation saturateWithMany(int port, String method, List<byte[]> requests, int seconds)
      throws IOException {
    Path body = body("changing", requests.get(0));
    List<ByteBuffer> bodies = requests.stream().map(LoadGenerators::framed).toList();
    try (Program saturating =
            h2load(
                port,
                method,
                body,
                List.of(
                    "-c", Integer.toString(CLIENTS), "-m", "1", "-D", Integer.toString(seconds)));
        FileChannel file = FileChannel.open(body, StandardOpenOption.WRITE)) {
      for (int i = 0; saturating.process().isAlive(); i++) {
        file.write(bodies.get(i % bodies.size()).rewind(), 0);
        LockSupport.parkNanos(1);
      }
      return done(saturating.said());
    }
  }

  /**
   * Measures latencies at a rate. Requests go out at random moments (a Poisson process), whether or
   * not answers come, for a second more than {@code seconds}; the first second does not count.
   */
  public Latency pace(int port, String method, byte[] request, double perSecond, int seconds)
      throws IOException {
    int connections = (int) Math.ceil(perSecond / PACERS / PER_CONNECTION);
    double perConnection = perSecond / PACERS / connections;
    Path body = body("paced", request);
    List<Program> pacers = new ArrayList<>();
    List<Path> logs = new ArrayList<>();
    long requests = 0;
    try {
      for (int pacer = 0; pacer < PACERS; pacer++) {
        Path script = folder.resolve("script%d.tsv".formatted(pacer));
        int count =
            write(
                script,
                "http://127.0.0.1:%d/%s".formatted(port, method),
                perConnection,
                RAMP_UP_SECONDS + seconds,
                new Random(pacer));
        Path log = folder.resolve("h2load%d.log".formatted(pacer));
        Files.deleteIfExists(log);
        logs.add(log);
        requests += (long) count * connections;
        pacers.add(
            h2load(
                port,
                method,
                body,
                List.of(
                    "-c",
                    Integer.toString(connections),
                    "-r",
                    "1",
                    "--rate-period",
                    MILLIS_BETWEEN + "ms",
                    "-m",
                    Integer.toString(MAX_STREAMS),
                    "-n",
                    Long.toString((long) count * connections),
                    "--timing-script-file",
                    script.toString(),
                    "--log-file",
                    log.toString())));
      }
      for (Program pacer : pacers) {
        requireAll(pacer.said());
      }
    } finally {
      pacers.forEach(Program::close);
    }
    Latency latency = latency(logs, Math.toIntExact(requests));
    if (latency.perSecond() < MIN_SENT * perSecond) {
      throw new TarnException(
          "h2load was to send %,.0f requests a second and sent %,.0f"
              .formatted(perSecond, latency.perSecond()));
    }
    return latency;
  }

  /** Writes the moments at which a connection is to send, and returns how many there are. */
  private static int write(Path script, String uri, double perSecond, int seconds, Random random)
      throws IOException {
    int count = 0;
    try (BufferedWriter lines = Files.newBufferedWriter(script)) {
      double at = 0;
      do {
        at -= Math.log1p(-random.nextDouble()) / perSecond * 1e3;
        lines.write("%.3f\t%s\n".formatted(at, uri));
        count++;
      } while (at < seconds * 1e3);
    }
    return count;
  }

  private static Latency latency(List<Path> logs, int requests) throws IOException {
    long[] starts = new long[requests];
    int[] micros = new int[requests];
    int logged = 0;
    for (Path log : logs) {
      try (BufferedReader lines = Files.newBufferedReader(log)) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          // Start in microseconds, HTTP status, microseconds.
          if (logged < requests) {
            starts[logged] = Long.parseLong(line, 0, line.indexOf('\t'), 10);
            micros[logged] = Integer.parseInt(line, line.lastIndexOf('\t') + 1, line.length(), 10);
          }
          logged++;
        }
      }
      Files.delete(log);
    }
    if (logged != requests) {
      throw new TarnException(
          "h2load sent %d requests and has logged %d".formatted(requests, logged));
    }
    long begin = Arrays.stream(starts).min().orElseThrow();
    long ready = begin + TimeUnit.SECONDS.toMicros(RAMP_UP_SECONDS);
    long end = Arrays.stream(starts).max().orElseThrow();
    int[] counting =
        IntStream.range(0, requests)
            .filter(i -> starts[i] >= ready)
            .map(i -> micros[i])
            .sorted()
            .toArray();
    return new Latency(
        requests,
        counting.length * 1e6 / (end - ready),
        at(counting, 0.5),
        at(counting, 0.99),
        at(counting, 0.999));
  }

  private Path body(String name, byte[] request) throws IOException {
    return Files.write(folder.resolve(name + ".bin"), framed(request).array());
  }

  /** Frames a request as gRPC does: not compressed, length, message. */
  private static ByteBuffer framed(byte[] request) {
    return ByteBuffer.allocate(5 + request.length)
        .put((byte) 0)
        .putInt(request.length)
        .put(request);
  }

  private static Program h2load(int port, String method, Path body, List<String> words)
      throws IOException {
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

  private static Saturation done(String said) {
    requireAll(said);
    Matcher done = DONE.matcher(said);
    if (!done.find()) {
      throw new TarnException("h2load told no rate: " + said);
    }
    return new Saturation(Long.parseLong(done.group(2)), Double.parseDouble(done.group(1)));
  }

  private static double at(int[] sorted, double share) {
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  }

  /** A running program. */
  private record Program(String name, Process process) implements AutoCloseable {

    static Program start(List<String> command) throws IOException {
      return new Program(
          command.get(0), new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    /** Reads all that the program says until it ends. */
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
