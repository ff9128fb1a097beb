package dev.tarn.etl.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.Scores;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.iceberg.events.CreateSnapshotEvent;
import org.apache.iceberg.events.Listeners;
import org.junit.jupiter.api.Test;

/** Builds while another program has locked the catalog's database. */
class TestJdbcTrouble {

  private static final String MONDAY = "2026-01-05T00:00:00Z";

  private final Workbench bench = new Workbench();
  private final String uri = "jdbc:sqlite:" + bench.path("own.db");

  @Test
  void aDatabaseIsWaitedForUnlessTheSettingsSayOtherwise() {
    assertThat(patience(Map.of("type", "jdbc", "uri", "jdbc:sqlite:/x/catalog.db")))
        .containsEntry("jdbc.busy_timeout", "60000")
        .doesNotContainKey("retryable_status_codes");
    assertThat(patience(Map.of("uri", "jdbc:sqlite:/x/catalog.db", "jdbc.busy_timeout", "10")))
        .containsEntry("jdbc.busy_timeout", "10");
    assertThat(patience(Map.of("type", "jdbc", "uri", "jdbc:postgresql://db/tarn")))
        .containsEntry("retryable_status_codes", "40P01,55P03,53300,57P03")
        .doesNotContainKey("jdbc.busy_timeout");
    assertThat(patience(Map.of("type", "rest", "uri", "http://127.0.0.1:1")))
        .containsOnlyKeys("type", "uri");
  }

  @Test
  void aCatalogThatStaysLockedInMidBuildIsSaid() throws SQLException {
    define();
    bench.set("catalog.jdbc.busy_timeout", "200");
    try (Connection other = DriverManager.getConnection(uri)) {
      var unused = lockAfterTheNextCommit(other);

      assertThat(bench.run("build", "view=score", "as-of=" + MONDAY)).isEqualTo(1);

      assertThat(bench.output())
          .contains("[SQLITE_BUSY]", "locked by another program for more than 200 ms", uri)
          .doesNotContain("unexpected");
      for (String command : new String[] {"manifests", "expire", "push view=score"}) {
        assertThat(bench.run(command.split(" ", -1))).as(command).isEqualTo(1);
        assertThat(bench.output())
            .as(command)
            .contains("[SQLITE_BUSY]")
            .doesNotContain("unexpected");
      }
      unlock(other);
    }
    assertThat(bench.run("build", "view=score", "as-of=" + MONDAY)).isZero();
  }

  /** SQLite's own driver would give up after three seconds. */
  @Test
  void aCatalogThatIsLockedForAMomentInMidBuildIsWaitedFor() throws SQLException {
    define();
    try (Connection other = DriverManager.getConnection(uri)) {
      CompletableFuture<Void> unlocked =
          lockAfterTheNextCommit(other)
              .thenRunAsync(
                  () -> unlock(other), CompletableFuture.delayedExecutor(4, TimeUnit.SECONDS));

      assertThat(bench.run("build", "view=score", "as-of=" + MONDAY)).as(bench.output()).isZero();

      assertThat(unlocked).isCompleted();
    }
  }

  private void define() {
    Workbench scores = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.set("definitions", scores.path("features").toString()).set("catalog.uri", uri);
    bench.set("catalog.warehouse", bench.path("warehouse").toString());
    // A session that other tests have begun has their catalog.
    bench.stopSpark();
  }

  /** Locks the database in the moment after a table of this workbench got a snapshot, once. */
  private CompletableFuture<Void> lockAfterTheNextCommit(Connection other) {
    CompletableFuture<Void> locked = new CompletableFuture<>();
    AtomicBoolean isDone = new AtomicBoolean();
    String database = bench.settings().read(tarn -> tarn.getString("database"));
    Listeners.register(
        event -> {
          if (event.tableName().contains(database) && isDone.compareAndSet(false, true)) {
            execute(other, "BEGIN EXCLUSIVE");
            locked.complete(null);
          }
        },
        CreateSnapshotEvent.class);
    return locked;
  }

  private static void unlock(Connection other) {
    execute(other, "ROLLBACK");
  }

  private static void execute(Connection other, String sql) {
    try (var statement = other.createStatement()) {
      statement.execute(sql);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Map<String, String> patience(Map<String, String> properties) {
    Map<String, String> all = new TreeMap<>(properties);
    JdbcTrouble.addPatience(all);
    return all;
  }
}
