package dev.tarn.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisSettings;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checks the jar as it is shipped, in a process of its own. */
class ServingJarIT {

  private static final Path JAR = Path.of("target", "tarn-serving.jar").toAbsolutePath();

  private final RedisSettings redis = RedisFixture.shared().settings();
  private final List<Process> started = new ArrayList<>();

  @TempDir private Path home;

  /** The result of a process. */
  private record Ended(int status, String out, String err) {}

  @AfterEach
  void endWhatIsLeft() {
    started.forEach(Process::destroyForcibly);
  }

  @Test
  void theServerServesAndEndsWithZeroWhenItIsTerminated() throws Exception {
    try (Pushes pushes = new Pushes(redis)) {
      pushes.view("a", "user").feature("name", Kind.KIND_STRING).row("u1", "Zoë").write("v1");
      pushes.release("a", "v1");
    }
    Process server = start("serve", "serving.port=0");
    BufferedReader out = server.inputReader(StandardCharsets.UTF_8);
    String ready = out.readLine();
    assertThat(ready)
        .matches("tarn: serving on 127\\.0\\.0\\.1:\\d+ \\(Redis " + redis.address() + "\\)");
    String target = ready.split(" ", -1)[3];

    Ended get = end(start("get", "ids=u1", "target=" + target, "format=json"));
    assertThat(get.err()).isEmpty();
    assertThat(get.out()).startsWith("{\"results\":{\"u1\":{\"features\":{\"name\":\"Zoë\"}");
    assertThat(get.status()).isZero();

    Ended second = end(start("serve", "serving.port=" + target.split(":", -1)[1]));
    assertThat(second.err())
        .isEqualTo(
            "tarn: port %s of 127.0.0.1 is in use: stop what uses it or set serving.port\n"
                .formatted(target.split(":", -1)[1]));
    assertThat(second.status()).isEqualTo(1);

    // Process.destroy would also close the output that is still to be read.
    server.toHandle().destroy();
    assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(server.exitValue()).isZero();
    assertThat(out.readLine()).isNull();
    assertThat(server.errorReader().readLine()).isNull();
  }

  @Test
  void metricsAreWhereTheServerSaysAndCallsAreInTheAccessLog() throws Exception {
    try (Pushes pushes = new Pushes(redis)) {
      pushes.view("a", "user").feature("name", Kind.KIND_STRING).row("u1", "Zoë").write("v1");
      pushes.release("a", "v1");
    }
    Process server =
        start("serve", "serving.port=0", "serving.http-port=0", "serving.access-log-sample=1.0");
    String ready = server.inputReader().readLine();
    assertThat(ready)
        .matches("tarn: serving on .* \\(Redis .*, metrics http://[0-9.:]+/metrics\\)");
    String metrics = ready.substring(ready.indexOf("http://"), ready.length() - 1);
    assertThat(end(start("get", "ids=u1", "target=" + ready.split(" ", -1)[3])).status()).isZero();

    try (InputStream body = URI.create(metrics).toURL().openStream()) {
      assertThat(new String(body.readAllBytes(), StandardCharsets.UTF_8))
          .contains("\ntarn_redis_up 1.0\n")
          .contains("\njvm_threads_current ");
    }
    assertThat(home.resolve(".tarn/logs/access.log"))
        .content()
        .matches("\\{\"time\":\"[^\"]+\",\"method\":\"[^\"]+/GetOnlineFeatures\".*}\n");
  }

  @Test
  void withoutTracingNoClassOfOpenTelemetryIsLoaded() throws Exception {
    try (Pushes pushes = new Pushes(redis)) {
      pushes.view("a", "user").feature("name", Kind.KIND_STRING).row("u1", "Zoë").write("v1");
      pushes.release("a", "v1");
    }
    Path loaded = home.resolve("classes.txt");
    Process server =
        startWith(List.of("-Xlog:class+load:file=" + loaded), "serve", "serving.port=0");
    String target = server.inputReader().readLine().split(" ", -1)[3];
    assertThat(end(start("get", "ids=u1", "target=" + target)).status()).isZero();
    server.toHandle().destroy();
    assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();

    assertThat(loaded)
        .content()
        .contains("dev.tarn.serving.ops.CallRecord ")
        .doesNotContain("io.opentelemetry");
  }

  @Test
  void withoutRedisItSaysSoAndLogsNothingOnTheTerminal() throws Exception {
    int nowhere = RedisFixture.freePort();
    Process server = start("serve", "serving.port=0", "redis.port=" + nowhere);
    assertThat(server.inputReader().readLine()).endsWith("(Redis 127.0.0.1:%d)".formatted(nowhere));

    server.toHandle().destroy();
    assertThat(server.waitFor(30, TimeUnit.SECONDS)).isTrue();

    String trouble =
        "Redis at 127.0.0.1:%d does not answer (Connection refused): start it with ./tarn up, or set redis.host and redis.port"
            .formatted(nowhere);
    assertThat(server.errorReader().lines()).containsExactly("tarn: no lookups yet: " + trouble);
    assertThat(home.resolve(".tarn/logs/serve.log")).content().contains(trouble);
    assertThat(server.exitValue()).isZero();
  }

  @Test
  void aCommandOfTheOtherJarIsBadUse() throws Exception {
    Ended ended = end(start("push", "view=a"));

    assertThat(ended.err())
        .isEqualTo(
            "tarn: 'push' belongs to the etl jar, this is the serving jar: run it as ./tarn push\n");
    assertThat(ended.status()).isEqualTo(2);
  }

  @Test
  void aSettingOutOfRangeIsBadUse() throws Exception {
    Ended ended = end(start("serve", "serving.port=70000"));

    assertThat(ended.err())
        .isEqualTo("tarn: settings: serving.port = 70000: it is from 0 to 65535\n");
    assertThat(ended.status()).isEqualTo(2);
  }

  @Test
  void noServerMakesGetFail() throws Exception {
    String target = "127.0.0.1:" + RedisFixture.freePort();
    Ended ended = end(start("get", "ids=u1", "target=" + target));

    assertThat(ended.err())
        .isEqualTo("tarn: no server at %s: start one with ./tarn serve\n".formatted(target));
    assertThat(ended.status()).isEqualTo(1);
  }

  @Test
  void aStateFolderThatCannotBeWrittenStopsNothing() throws Exception {
    Files.writeString(home.resolve(".tarn"), "a file where the folder should be");
    Process server = start("serve", "serving.port=0");

    assertThat(server.inputReader().readLine()).startsWith("tarn: serving on ");
  }

  private Process start(String... words) throws IOException {
    return startWith(List.of(), words);
  }

  private Process startWith(List<String> jvmOptions, String... words) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:TieredStopAtLevel=1");
    command.addAll(jvmOptions);
    command.add("-jar");
    command.add(JAR.toString());
    command.addAll(List.of(words));
    if (!List.of(words).toString().contains("serving.http-port")) {
      command.add("serving.http-port=-1");
    }
    if (!List.of(words).toString().contains("redis.port")) {
      command.add("redis.port=" + redis.port());
    }
    command.add("redis.namespace=" + RedisFixture.namespace(redis));
    ProcessBuilder builder = new ProcessBuilder(command);
    // The terminal is as bare as possible; the output must be UTF-8 there too.
    builder.environment().put("LC_ALL", "C");
    builder.environment().put("TARN_HOME", home.toString());
    builder.environment().keySet().removeAll(List.of("TARN_CONF", "JAVA_TOOL_OPTIONS"));
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private static Ended end(Process process) throws Exception {
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Ended(process.waitFor(), out, err);
  }
}
