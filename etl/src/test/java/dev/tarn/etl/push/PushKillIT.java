package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Main;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.bench.TcpProxy;
import dev.tarn.etl.build.FeatureTable;
import dev.tarn.manifest.Manifest;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.embedded.RedisServer;

/** Kills pushes with SIGKILL when a number of bytes, by chance, has gone to Redis. */
class PushKillIT {

  private static final String VIEW = "score";
  private static final String AS_OF = "2026-01-05T00:00:00Z";
  private static final int USERS = 5_000;
  private static final int KILLS = 8;
  private static final long SEED = 20261121;

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void aPushThatIsKilledAnywhereLeavesAWholeVersionReleasedAndTheNextCleansUp() throws Exception {
    RedisServer redis = Workbench.startRedis(Map.of());
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench
        .set("redis.port", redis.ports().get(0).toString())
        .set("push.rows-per-bucket", "20")
        .set("push.keep", "2");
    try (TcpProxy proxy = new TcpProxy(redis.ports().get(0))) {
      rebuild(bench, 0);
      bench.push(VIEW);
      rebuild(bench, 1);
      bench.set("redis.port", Integer.toString(proxy.port()));
      bench.push(VIEW);
      bench.set("redis.port", redis.ports().get(0).toString());
      long bytes = proxy.passed();
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);

      Random random = new Random(SEED);
      int killed = 0;
      for (int round = 0; round < KILLS; round++) {
        Manifest before = OnlineCopy.released(bench, VIEW);
        long newest = main(bench);
        if (before.getSnapshotId() == newest) {
          rebuild(bench, 2 + round);
          newest = main(bench);
        }
        // Every other one near the end, where a version is completed, released and pruned.
        long at =
            round % 2 == 0 ? (long) (bytes * random.nextDouble()) : bytes - random.nextInt(9_000);
        Process push = push(bench, proxy);
        proxy.after(at, () -> kill(push));
        if (push.waitFor() != 0) {
          killed++;
        }
        Manifest now = OnlineCopy.released(bench, VIEW);
        assertThat(now.getSnapshotId())
            .as("kill %d, after %d of %d bytes", round, at, bytes)
            .isIn(before.getSnapshotId(), newest);
        OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      }
      assertThat(killed).isGreaterThan(KILLS / 2);

      OnlineCopy.expireLeases(bench, VIEW);
      rebuild(bench, 2 + KILLS);
      bench.push(VIEW);
      assertThat(OnlineCopy.released(bench, VIEW).getSnapshotId()).isEqualTo(main(bench));
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
      assertThat(tags(bench))
          .isEqualTo(
              bench.versions().manifests(VIEW).stream()
                  .map(manifest -> "tarn-" + manifest.getVersion())
                  .collect(Collectors.toSet()));
    } finally {
      Workbench.stop(redis);
    }
  }

  /** Starts the command as a process of its own, with its Redis behind the proxy. */
  private static Process push(Workbench bench, TcpProxy proxy) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(argument -> argument.startsWith("--add-opens"))
        .forEach(command::add);
    command.addAll(List.of("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-Djdk.reflect.useDirectMethodHandle=false", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.addAll(List.of(Main.class.getName(), "push", "view=" + VIEW));
    command.addAll(bench.settingWords());
    command.add("redis.port=" + proxy.port());
    Path folder = Files.createDirectories(bench.path("pushes"));
    return new ProcessBuilder(command)
        .directory(folder.toFile())
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("push.out").toFile()))
        .start();
  }

  private static void kill(Process push) {
    push.destroyForcibly();
    try {
      // Not a byte more goes to Redis before it is dead.
      push.waitFor();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void rebuild(Workbench bench, int seed) {
    Scores.generate(bench, "2026-01-05", USERS, 100, seed);
    bench.build(VIEW, AS_OF);
  }

  private static long main(Workbench bench) {
    return FeatureTable.find(bench.lake(), VIEW).orElseThrow().main().orElseThrow().snapshotId();
  }

  private static Set<String> tags(Workbench bench) {
    return FeatureTable.find(bench.lake(), VIEW).orElseThrow().iceberg().refs().keySet().stream()
        .filter(ref -> !ref.equals("main"))
        .collect(Collectors.toSet());
  }
}
