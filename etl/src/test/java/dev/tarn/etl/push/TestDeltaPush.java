package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.IcebergCatalog;
import dev.tarn.etl.push.Push.Mode;
import dev.tarn.manifest.VersionRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.Table;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestDeltaPush {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";
  private static final String WEDNESDAY = "2026-01-07T00:00:00Z";
  private static final Push.Request DELTA = new Push.Request(Optional.empty(), Mode.DELTA, false);

  @Test
  void aDeltaWritesWhatChangedAndAnswersAsAFullPushWould() {
    Workbench bench = changes();
    users(bench, "2026-01-05", 1_000, 0);
    bench.build(VIEW, MONDAY);
    VersionRecord full = bench.push(VIEW).record();
    assertThat(full.hasBase()).isFalse();
    assertThat(full.getRows()).isEqualTo(1_000);

    users(bench, "2026-01-06", 1_010, 5);
    bench.build(VIEW, TUESDAY);
    Push.Outcome outcome = bench.push(VIEW);

    assertThat(outcome.mode()).isEqualTo("delta");
    VersionRecord delta = outcome.record();
    assertThat(delta.getBase().getVersion()).isEqualTo(full.getVersion());
    assertThat(delta.getOwnRows()).isEqualTo(15);
    assertThat(delta.getRows()).isEqualTo(1_010);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // The next one is laid over the same base: a lookup never asks more than two versions.
    users(bench, "2026-01-07", 1_010, 7);
    bench.build(VIEW, WEDNESDAY);
    VersionRecord next = bench.push(VIEW).record();
    assertThat(next.getBase().getVersion()).isEqualTo(full.getVersion());
    assertThat(next.getOwnRows()).isEqualTo(17);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void anAsOfThatChangedNothingCostsNothingAndMakesEveryRowYounger() {
    Workbench bench = changes();
    users(bench, "2026-01-05", 100, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    users(bench, "2026-01-06", 100, 0);
    bench.build(VIEW, TUESDAY);
    VersionRecord delta = bench.push(VIEW).record();
    assertThat(delta.hasBase()).isTrue();
    assertThat(delta.getOwnRows()).isZero();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(OnlineCopy.inRedis(bench, delta).values())
        .allMatch(entry -> entry.eventTimestamp().equals(Instant.parse(TUESDAY)));
  }

  @Test
  void anOverlayThatGrewTooLargeIsCompactedByAFullPush() {
    Workbench bench = changes().set("push.max-overlay", "0.1");
    users(bench, "2026-01-05", 100, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    users(bench, "2026-01-06", 100, 8);
    bench.build(VIEW, TUESDAY);
    assertThat(bench.push(VIEW).mode()).isEqualTo("delta");
    users(bench, "2026-01-07", 100, 16);
    bench.build(VIEW, WEDNESDAY);
    Push.Outcome outcome = bench.push(VIEW);
    assertThat(outcome.mode()).isEqualTo("full");
    assertThat(outcome.record().hasBase()).isFalse();
    assertThat(outcome.reason())
        .matches(
            "\\d+ rows were written or removed since v1-\\w+, over push.max-overlay = 0.1 of its 100");
    assertThat(bench.output()).contains(" (full, as " + outcome.reason() + "): 100 rows in ");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void theBaseStaysAsLongAsAnOverlayNeedsIt() {
    Workbench bench = changes().set("push.keep", "1");
    users(bench, "2026-01-05", 100, 0);
    bench.build(VIEW, MONDAY);
    VersionRecord full = bench.push(VIEW).record();
    for (int changed = 1; changed <= 3; changed++) {
      users(bench, "2026-01-06", 100, changed);
      bench.build(VIEW, TUESDAY);
      VersionRecord delta = bench.push(VIEW).record();
      assertThat(bench.versions().records(VIEW)).containsExactlyInAnyOrder(full, delta);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
    }
    users(bench, "2026-01-07", 100, 90);
    bench.build(VIEW, WEDNESDAY);
    VersionRecord last = bench.push(VIEW).record();
    // The last overlay goes first, and then what it was laid over.
    assertThat(bench.versions().records(VIEW)).containsExactly(last);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
  }

  @Test
  void aDeltaThatIsNotPossibleIsRefusedWithTheReasonOrMadeFull() {
    Workbench bench = changes();
    users(bench, "2026-01-05", 100, 0);
    bench.build(VIEW, MONDAY);
    assertThatThrownBy(() -> bench.push(DELTA, VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("nothing is released that a delta could be laid over");
    VersionRecord full = bench.push(VIEW).record();

    bench.define("scores.conf", definition(bench, "changes", "[{ name = points, type = bigint }]"));
    users(bench, "2026-01-06", 100, 1);
    bench.build(VIEW, TUESDAY);
    assertThatThrownBy(() -> bench.push(DELTA, VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining(full.getVersion())
        .hasMessageContaining("features, their types or keys have changed");
    Push.Outcome outcome = bench.push(VIEW);
    assertThat(outcome.mode()).isEqualTo("full");
    assertThat(outcome.reason())
        .isEqualTo(
            "no delta from %s is possible: features, their types or keys have changed since"
                .formatted(full.getVersion()));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    users(bench, "2026-01-07", 100, 1);
    bench.build(VIEW, WEDNESDAY);
    assertThat(
            bench.push(new Push.Request(Optional.empty(), Mode.FULL, false), VIEW).get(0).reason())
        .isEqualTo("mode=full says so");
  }

  @Test
  void besideDeleteFilesOfAnotherEngineAPushIsFullWhereNoChangesCanBeRead() {
    Workbench bench = changes();
    users(bench, "2026-01-05", 200, 0);
    bench.build(VIEW, MONDAY);
    VersionRecord before = bench.push(VIEW).record();
    String table = bench.lake().sqlName(VIEW);
    bench
        .spark()
        .sql(
            "ALTER TABLE %s SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')"
                .formatted(table));
    bench.spark().sql("DELETE FROM %s WHERE user_id IN (7, 8)".formatted(table));
    assertThat(bench.spark().table(table + ".delete_files").count()).isPositive();

    assertThatThrownBy(() -> bench.push(DELTA, VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessageMatching(
            "score: a delta from version %s is not possible: snapshot \\d+ has delete files \\(merge-on-read\\), and Iceberg reads no changes beside them; push it with mode=full"
                .formatted(before.getVersion()));
    Push.Outcome outcome = bench.push(VIEW);
    assertThat(outcome.mode()).isEqualTo("full");
    assertThat(outcome.reason()).contains("has delete files (merge-on-read)");
    assertThat(outcome.record().getRows()).isEqualTo(198);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // Rows that are appended can be read beside the delete files from before.
    users(bench, "2026-01-06", 200, 3);
    bench.build(VIEW, TUESDAY);
    assertThat(bench.push(VIEW).mode()).isEqualTo("delta");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);

    // Rows that are replaced can't, although this build itself writes no delete files.
    users(bench, "2026-01-06", 200, 4);
    bench.build(VIEW, TUESDAY);
    outcome = bench.push(VIEW);
    assertThat(outcome.mode()).isEqualTo("full");
    assertThat(outcome.reason()).contains("has delete files (merge-on-read)");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void rowsThatAnEngineDoesNotCountInItsSummaryAreServed() throws IOException {
    Workbench bench = changes();
    users(bench, "2026-01-05", 200, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    users(bench, "2026-01-06", 205, 2);
    bench.build(VIEW, TUESDAY);
    Table table = FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg();
    String metadata = ((BaseTable) table).operations().current().metadataFileLocation();
    Path file = Path.of(metadata.replaceFirst("^file:", ""));
    JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    int counted = 0;
    for (JsonElement snapshot : json.getAsJsonArray("snapshots")) {
      // The counts in a summary are optional.
      JsonObject summary = snapshot.getAsJsonObject().getAsJsonObject("summary");
      summary.remove("deleted-records");
      counted += summary.remove("added-records") == null ? 0 : 1;
    }
    assertThat(counted).isGreaterThan(1);
    Path edited = file.resolveSibling("edited.metadata.json");
    Files.writeString(edited, json.toString());
    IcebergCatalog catalog = bench.lake().catalog();
    catalog.iceberg().dropTable(catalog.table(VIEW), false);
    catalog.iceberg().registerTable(catalog.table(VIEW), edited.toString());

    Push.Outcome outcome = bench.push(VIEW);
    assertThat(outcome.mode()).isEqualTo("delta");
    assertThat(outcome.record().getRows()).isEqualTo(205);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void rowsDeletedFromTheTableAreNotFoundInTheNextVersion() {
    Workbench bench = changes();
    users(bench, "2026-01-05", 200, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    bench
        .spark()
        .sql("DELETE FROM %s WHERE user_id IN (7, 8)".formatted(bench.lake().sqlName(VIEW)));
    VersionRecord delta = bench.push(DELTA, VIEW).get(0).record();
    assertThat(delta.getRows()).isEqualTo(198);
    assertThat(delta.getOwnRows()).isEqualTo(2);
    assertThat(OnlineCopy.inRedis(bench, delta)).doesNotContainKeys("7", "8").containsKey("9");
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  /** Random histories, every push a delta wherever that is possible, both kinds of table. */
  @Tag("slow")
  @ParameterizedTest
  @ValueSource(strings = {"full", "changes"})
  void whateverHappensToTheTableADeltaAnswersAsTheTableDoes(String history) {
    long seed = 20261121;
    Random random = new Random(seed);
    Workbench bench = new Workbench().set("push.keep", "2").set("push.rows-per-bucket", "3");
    bench.define("scores.conf", definition(bench, history, FEATURES));
    Map<Integer, String> state = new TreeMap<>();
    int deltas = 0;
    Instant asOf = Instant.parse(MONDAY);
    for (int round = 0; round < 10; round++) {
      Instant built = asOf;
      if (round > 2 && random.nextInt(4) == 0) {
        built = asOf.minus(1 + random.nextInt(3), ChronoUnit.DAYS); // once more, or between
      } else {
        asOf = asOf.plus(random.nextInt(3) == 0 ? 12 : 24, ChronoUnit.HOURS);
        built = asOf;
      }
      List<String> rows = new ArrayList<>();
      for (int user = 0; user < 40; user++) {
        int dice = random.nextInt(10);
        if (dice == 0) {
          state.remove(user);
        } else if (dice < 3 || round == 0) {
          state.put(user, random.nextInt(6) == 0 ? "NULL" : Integer.toString(random.nextInt(50)));
        }
        if (state.containsKey(user)) {
          rows.add("(%d, '%s', %s, 'x')".formatted(user, built, state.get(user)));
        }
      }
      Scores.write(bench, String.join(", ", rows));
      bench.build(VIEW, built.toString());
      if (random.nextInt(5) == 0) {
        bench
            .spark()
            .sql(
                "DELETE FROM %s WHERE user_id = %d"
                    .formatted(bench.lake().sqlName(VIEW), random.nextInt(40)));
      }
      Mode mode = round == 0 || random.nextInt(6) == 0 ? Mode.FULL : Mode.DELTA;
      Push.Outcome outcome =
          bench.push(new Push.Request(Optional.empty(), mode, false), VIEW).get(0);
      if (outcome.mode().equals("delta")) {
        deltas++;
      }
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
    }
    assertThat(deltas).isGreaterThan(4);
  }

  private static final String FEATURES =
      "[{ name = points, type = bigint }, { name = level, type = string }]";

  private static Workbench changes() {
    Workbench bench = new Workbench().set("push.rows-per-bucket", "20");
    return bench.define("scores.conf", definition(bench, "changes", FEATURES));
  }

  private static String definition(Workbench bench, String history, String features) {
    return """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { scores { format = parquet, path = "%s" } }
        feature-views {
          score {
            entity = user
            sources = [scores]
            history = %s
            sql = "SELECT * FROM scores WHERE at = :as_of"
            features = %s
          }
        }
        """
        .formatted(bench.path("scores"), history, features);
  }

  /** Writes {@code count} users, the first {@code changed} of them with values of their own. */
  private static void users(Workbench bench, String at, int count, int changed) {
    Scores.query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '%s' AS at,
          CASE WHEN id < %d THEN id + 1000000 ELSE id END AS points, 'a' AS level
        FROM range(%d)
        """
            .formatted(at, changed, count));
  }
}
