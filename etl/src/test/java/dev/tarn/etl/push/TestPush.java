package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.Release;
import dev.tarn.row.EntityId;
import dev.tarn.row.FeatureTypes;
import dev.tarn.row.Values;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.embedded.RedisServer;

class TestPush {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";
  private static final String VERSION = "v\\d+-[0-9a-z]{6}";

  @Test
  void servesTheNewestRowOfEachEntityWithItsOwnEventTimestamp() {
    Workbench bench =
        Scores.bench(
            """
            (1, '2026-01-05', 10, 'low'), (2, '2026-01-05', 20, 'low'),
            (1, '2026-01-06', 11, 'mid'), (3, '2026-01-06', 30, NULL),
            (1, '2026-01-07', NULL, 'high'), (4, '2026-01-07', -1, '')
            """);
    // The newest as-of is not built last.
    bench.build(VIEW, MONDAY, "2026-01-07T00:00:00Z", TUESDAY);
    bench.push(VIEW);

    Map<String, OnlineCopy.Entry> rows =
        OnlineCopy.inRedis(bench, OnlineCopy.released(bench, VIEW));
    assertThat(rows)
        .isEqualTo(
            Map.of(
                "1", entry("2026-01-07T00:00:00Z", Values.NULL, Values.ofString("high")),
                "2", entry(MONDAY, Values.ofLong(20), Values.ofString("low")),
                "3", entry(TUESDAY, Values.ofLong(30), Values.NULL),
                "4", entry("2026-01-07T00:00:00Z", Values.ofLong(-1), Values.ofString(""))));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void redisHoldsTheKeysThatAreDescribedAndNoOthers() {
    Workbench bench = generated(1_000);
    bench.set("push.rows-per-bucket", "10");
    bench.push(VIEW);
    String namespace = namespace(bench);
    VersionRecord record = OnlineCopy.released(bench, VIEW);

    assertThat(record.getVersion()).matches(VERSION).startsWith("v1-");
    // The number of entities is counted approximately, to two percent.
    assertThat(record.getBuckets()).isBetween(94, 106);
    assertThat(record.getRows()).isEqualTo(1_000);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    OnlineCopy.assertNoForeignKeys(bench, VIEW);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(jedis.keys("*" + namespace + "}:*"))
          .containsExactlyInAnyOrder(
              "{%s}:entities".formatted(namespace),
              "{%s}:release".formatted(namespace),
              "{%s}:sequence".formatted(namespace),
              "{%s}:manifests:score".formatted(namespace));
      assertThat(jedis.get("{%s}:sequence".formatted(namespace))).isEqualTo("1");
      assertThat(jedis.hgetAll("{%s}:release".formatted(namespace)))
          .containsOnlyKeys(VIEW)
          .hasEntrySatisfying(
              VIEW, entry -> assertThat(entry).matches(record.getVersion() + "@\\d{13}"));
      assertThat(jedis.hkeys("{%s}:manifests:score".formatted(namespace)))
          .containsExactly(record.getVersion());
    }
  }

  @Test
  void theManifestSaysWhatAServerMustKnow() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (2, '2026-01-05', 20, 'low')");
    Scores.define(
        bench,
        """
        [{ name = points, type = bigint, default = 7, description = "Points", owner = games, tags = [a] }
         { name = level, type = string }]
        """,
        "max-age = 36h, description = Scores, owner = fun, tags = [b, c]");
    bench.build(VIEW, MONDAY);
    Instant before = Instant.now();
    Push.Outcome outcome = bench.push(VIEW);
    VersionRecord record = OnlineCopy.released(bench, VIEW);

    Table table = table(bench);
    assertThat(outcome.record()).isEqualTo(record);
    assertThat(outcome.pushed()).isTrue();
    assertThat(record)
        .isEqualTo(
            VersionRecord.newBuilder()
                .setRowFormat(1)
                .setFeatureView(VIEW)
                .setVersion(record.getVersion())
                .setEntity("user")
                .addEntityKeys("user_id")
                .setSnapshotId(table.currentSnapshot().snapshotId())
                .setSequenceNumber(table.currentSnapshot().sequenceNumber())
                .setAsOf(Timestamps.fromMillis(Instant.parse(MONDAY).toEpochMilli()))
                .setCreatedAt(record.getCreatedAt())
                .setRows(2)
                .setOwnRows(2)
                .setBuckets(1)
                .setDefinitionHash(bench.definitions().view(VIEW).definitionHash())
                .setMaxAge(Durations.fromHours(36))
                .addFeatures(
                    StoredFeature.newBuilder()
                        .setFieldId(table.schema().findField("points").fieldId())
                        .setName("points")
                        .setType(FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_BIGINT))
                        .setDescription("Points")
                        .setOwner("games")
                        .addTags("a")
                        .setDefaultValue(Value.newBuilder().setNumberValue(7)))
                .addFeatures(
                    StoredFeature.newBuilder()
                        .setFieldId(table.schema().findField("level").fieldId())
                        .setName("level")
                        .setType(FeatureType.newBuilder().setKind(FeatureType.Kind.KIND_STRING)))
                .setDescription("Scores")
                .setOwner("fun")
                .addTags("b")
                .addTags("c")
                .setTable(bench.lake().sqlName(VIEW))
                .setTarnVersion(record.getTarnVersion())
                .build());
    assertThat(record.getTarnVersion()).isNotEmpty();
    assertThat(Instant.ofEpochMilli(Timestamps.toMillis(record.getCreatedAt())))
        .isBetween(before.minusMillis(1), Instant.now());
    assertThat(bench.output())
        .contains(
            "score: snapshot %d is released as %s (full): 2 rows in "
                .formatted(record.getSnapshotId(), record.getVersion()));
  }

  @Test
  void aReleaseStoresTheFeatureServicesAndTellsTheServers() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low')");
    defineService(bench, "[score.level, score.points]");
    bench.build(VIEW, MONDAY);
    String services = "{%s}:services".formatted(namespace(bench));
    try (Notices notices = new Notices(bench)) {
      bench.push(VIEW);
      // The first is that of the trial whether the user may tell the servers anything.
      await().untilAsserted(() -> assertThat(notices.heard).containsExactly("", VIEW));
      assertThat(stored(bench, services, "ranking"))
          .isEqualTo(
              JsonParser.parseString(
                  """
                  {"name": "ranking", "entity": "user",
                   "featureNames": ["score.level", "score.points"], "owner": "fun"}
                  """));

      // A service is no part of a version: another list of it needs no other version.
      String version = OnlineCopy.released(bench, VIEW).getVersion();
      bench.output();
      defineService(bench, "[score.points]");
      assertThat(bench.push(VIEW).pushed()).isFalse();
      assertThat(bench.output()).contains("feature service ranking is stored anew");
      await().untilAsserted(() -> assertThat(notices.heard).containsExactly("", VIEW, "", VIEW));
      assertThat(stored(bench, services, "ranking").get("featureNames").toString())
          .isEqualTo("[\"score.points\"]");
      assertThat(OnlineCopy.released(bench, VIEW).getVersion()).isEqualTo(version);
    }
  }

  @Test
  void pushingTheSameSnapshotAgainChangesNothing() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (2, '2026-01-05', 20, 'low')");
    defineService(bench, "[score.points]");
    bench.build(VIEW, MONDAY);
    Push.Outcome first = bench.push(VIEW);
    Map<String, Object> before = everything(bench);
    Set<String> refs = table(bench).refs().keySet();

    Push.Outcome second = bench.push(VIEW);
    assertThat(second.pushed()).isFalse();
    assertThat(second.record()).isEqualTo(first.record());
    bench.output();
    assertThat(bench.run("push", "view=score")).isZero();
    assertThat(bench.output().strip())
        .isEqualTo(
            "score: snapshot %d is released already, as %s"
                .formatted(first.record().getSnapshotId(), first.record().getVersion()));
    assertThat(everything(bench)).isEqualTo(before);
    assertThat(table(bench).refs().keySet()).isEqualTo(refs);
  }

  @Test
  void whatIsAnsweredOfTheSameSnapshotDecidesWhetherItIsANewVersion() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low')");
    bench.build(VIEW, MONDAY);
    VersionRecord plain = bench.push(VIEW).record();

    String withDefault =
        "[{ name = points, type = bigint, default = 5 }, { name = level, type = string }]";
    Scores.define(bench, withDefault, "");
    Push.Outcome byDefault = bench.push(VIEW);
    assertThat(byDefault.pushed()).isTrue();
    assertThat(byDefault.record().getFeatures(0).getDefaultValue().getNumberValue()).isEqualTo(5);

    Scores.define(bench, withDefault, "max-age = 90s");
    Push.Outcome byAge = bench.push(VIEW);
    assertThat(byAge.pushed()).isTrue();
    assertThat(byAge.record().getMaxAge()).isEqualTo(Durations.fromSeconds(90));
    assertThat(byAge.reason())
        .isEqualTo(
            "%s has the snapshot, but since then max age changed"
                .formatted(byDefault.record().getVersion()));
    assertThat(bench.output()).contains(", as " + byAge.reason() + "): ");

    assertThat(bench.push(VIEW).pushed()).isFalse();
    assertThat(List.of(plain, byDefault.record(), byAge.record()))
        .extracting(VersionRecord::getSnapshotId)
        .containsOnly(plain.getSnapshotId());
    assertThat(bench.versions().records(VIEW))
        .containsExactly(byAge.record(), byDefault.record(), plain);
  }

  @Test
  void aVersionThatIsStillKeptIsReleasedAgainAndNothingIsWritten() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (1, '2026-01-06', 11, 'low')");
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    bench.build(VIEW, TUESDAY);
    VersionRecord newest = bench.push(VIEW).record();
    assertThat(bench.run("rollback", "view=score")).isZero();
    assertThat(bench.run("unpin", "view=score")).isZero();
    List<VersionRecord> kept = bench.versions().records(VIEW);
    bench.output();

    assertThat(bench.run("push", "view=score", "format=json")).isZero();

    String printed = bench.output();
    JsonObject json =
        JsonParser.parseString(
                printed.lines().filter(line -> line.startsWith("{")).findFirst().orElseThrow())
            .getAsJsonObject();
    assertThat(json.get("state").getAsString()).isEqualTo("released");
    assertThat(json.get("mode").getAsString()).isEqualTo("kept");
    assertThat(json.get("version").getAsString()).isEqualTo(newest.getVersion());
    assertThat(json.get("rows_written").getAsLong()).isZero();
    assertThat(printed)
        .contains(
            "score: snapshot %d is still kept as %s, which is released again; nothing was written"
                .formatted(newest.getSnapshotId(), newest.getVersion()));
    assertThat(OnlineCopy.released(bench, VIEW)).isEqualTo(newest);
    assertThat(bench.versions().records(VIEW)).isEqualTo(kept);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    List<Row> history =
        bench
            .spark()
            .sql(
                "SELECT version, action, mode, retired_at IS NULL FROM %s ORDER BY released_at"
                    .formatted(bench.lake().sqlName("tarn_releases")))
            .collectAsList();
    assertThat(history).hasSize(4);
    assertThat(history.get(3))
        .isEqualTo(RowFactory.create(newest.getVersion(), "push", "kept", true));
  }

  @Test
  void aCorrectedBuildOfTheSameAsOfWins() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (2, '2026-01-05', 20, 'low')");
    bench.build(VIEW, MONDAY);
    VersionRecord wrong = bench.push(VIEW).record();
    Scores.write(bench, "(1, '2026-01-05', 99, 'high')");
    bench.build(VIEW, MONDAY);
    VersionRecord right = bench.push(VIEW).record();

    assertThat(right.getAsOf()).isEqualTo(wrong.getAsOf());
    assertThat(right.getSequenceNumber()).isGreaterThan(wrong.getSequenceNumber());
    assertThat(OnlineCopy.inRedis(bench, OnlineCopy.released(bench, VIEW)))
        .isEqualTo(Map.of("1", entry(MONDAY, Values.ofLong(99), Values.ofString("high"))));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aSnapshotOlderThanTheReleasedOneIsRefused() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (1, '2026-01-06', 11, 'low')");
    bench.build(VIEW, MONDAY);
    long older = table(bench).currentSnapshot().snapshotId();
    bench.build(VIEW, TUESDAY);
    VersionRecord released = bench.push(VIEW).record();
    Map<String, Object> before = everything(bench);

    assertThatThrownBy(() -> push(bench, Long.toString(older)))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "score: snapshot %1$d is older than the released one, %2$d (version %3$s); not pushed. To go back to it: ./tarn rollback view=score snapshot=%1$d"
                .formatted(older, released.getSnapshotId(), released.getVersion()));
    assertThat(everything(bench)).isEqualTo(before);
  }

  @Test
  void aSnapshotCanBePushedByIdOrTag() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 10, 'low'), (1, '2026-01-06', 11, 'low')");
    bench.build(VIEW, MONDAY);
    long older = table(bench).currentSnapshot().snapshotId();
    bench.build(VIEW, TUESDAY);
    Table table = table(bench);
    table.manageSnapshots().createTag("audited", table.currentSnapshot().snapshotId()).commit();

    assertThat(push(bench, Long.toString(older)).record().getSnapshotId()).isEqualTo(older);
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(push(bench, "audited").record().getSnapshotId())
        .isEqualTo(table.currentSnapshot().snapshotId());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThatThrownBy(() -> push(bench, "12345"))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "snapshot=12345: %s has no published snapshot or tag of that name (expired, or of another table?)"
                .formatted(bench.lake().sqlName(VIEW)));
  }

  @Test
  void versionsThatAreNoLongerKeptArePrunedWithTheirTags() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'low')");
    bench.set("push.keep", "2").set("push.rows-per-bucket", "1");
    List<String> pushed = new ArrayList<>();
    for (int round = 1; round <= 4; round++) {
      Scores.generate(bench, "2026-01-05", 50, 20, round);
      bench.build(VIEW, MONDAY);
      pushed.add(bench.push(VIEW).record().getVersion());

      List<String> kept = pushed.subList(Math.max(0, round - 2), round);
      assertThat(bench.versions().records(VIEW))
          .extracting(VersionRecord::getVersion)
          .containsExactlyInAnyOrderElementsOf(kept);
      assertThat(table(bench).refs().keySet())
          .containsExactlyInAnyOrderElementsOf(
              java.util.stream.Stream.concat(
                      java.util.stream.Stream.of("main"), kept.stream().map(v -> "tarn-" + v))
                  .toList());
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    }
    VersionRecord released = OnlineCopy.released(bench, VIEW);
    assertThat(table(bench).refs().get("tarn-" + released.getVersion()).snapshotId())
        .isEqualTo(released.getSnapshotId());
    assertThat(new HashSet<>(pushed)).hasSize(4);
  }

  @Test
  void theReleasedVersionIsNeverPruned() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a'), (1, '2026-01-06', 2, 'b')");
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    VersionStore versions = bench.versions();
    Release first = versions.released(VIEW).orElseThrow();
    bench.set("push.keep", "1");
    bench.build(VIEW, TUESDAY);
    bench.push(VIEW);
    VersionRecord second = OnlineCopy.released(bench, VIEW);

    assertThat(versions.prune(second)).isFalse();
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    assertThat(versions.records(VIEW)).containsExactly(second);
    assertThat(second.getVersion()).isNotEqualTo(first.version());
  }

  @Test
  void versionNamesAreNeverUsedAgainEvenIfRedisForgetsThem() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    RedisServer redis = Workbench.startRedis(Map.of());
    bench.set("redis.port", redis.ports().get(0).toString());
    Set<String> names = new HashSet<>();
    for (int i = 0; i < 3; i++) {
      names.add(bench.push(VIEW).record().getVersion());
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);
      try (Jedis jedis = OnlineCopy.jedis(bench)) {
        jedis.flushAll();
      }
    }
    assertThat(names).hasSize(3).allMatch(name -> name.startsWith("v1-"));
    VersionStore versions = bench.versions();
    for (int i = 0; i < 200; i++) {
      names.add(versions.mint(VIEW, 1, Duration.ofSeconds(30)));
    }
    assertThat(names).hasSize(203);
    Workbench.stop(redis);
  }

  @Test
  void whatADeadPushLeftBehindIsRemovedByTheNextAndALivePushIsLeftAlone() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    String namespace = namespace(bench);
    String writing = "{%s}:writing:score".formatted(namespace);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      long now = Long.parseLong(jedis.time().get(0)) * 1_000;
      jedis.hset(writing, "v7-dead00", "2500@" + (now - 1_000));
      jedis.hset(writing, "v8-a1ive0", "3@" + (now + 60_000));
      jedis.hset(writing, "v9-ret1re", "2@0");
      for (String bucket : List.of("v7-dead00:0", "v7-dead00:1", "v7-dead00:2499")) {
        jedis.hset(namespace + ":score:" + bucket, "x", "y");
      }
      jedis.hset(namespace + ":score:v8-a1ive0:0", "x", "y");
      jedis.hset(namespace + ":score:v9-ret1re:1", "x", "y");
      // A push that was killed between its tag and its release leaves a tag, too.
      Table table = table(bench);
      table
          .manageSnapshots()
          .createTag("tarn-v7-dead00", table.currentSnapshot().snapshotId())
          .commit();

      bench.push(VIEW);
      assertThat(jedis.hgetAll(writing)).isEqualTo(Map.of("v8-a1ive0", "3@" + (now + 60_000)));
      assertThat(jedis.keys(namespace + ":score:v[789]*"))
          .containsExactly(namespace + ":score:v8-a1ive0:0");
      assertThat(table(bench).refs()).doesNotContainKey("tarn-v7-dead00");
      OnlineCopy.assertServedAsInIceberg(bench, VIEW);

      // Also by a push that has nothing else to do.
      OnlineCopy.expireLeases(bench, VIEW);
      assertThat(bench.push(VIEW).pushed()).isFalse();
      OnlineCopy.assertNoForeignKeys(bench, VIEW);
    }
  }

  @Test
  void entitiesOfTwoKeysAndAnyTextKeepTheirRowsApart() {
    List<String> texts =
        List.of(
            "a",
            "a|b",
            "|",
            "||",
            "\\",
            "\\|",
            "a\\",
            ":",
            "{tarn}",
            "{}",
            "\n",
            "a\nb",
            "🏔",
            "é",
            "e\u0301",
            " ",
            "'",
            "\"",
            "%",
            "*",
            "x".repeat(500));
    List<Row> rows = new ArrayList<>();
    Instant at = Instant.parse(MONDAY);
    for (String one : texts) {
      for (String other : texts) {
        rows.add(RowFactory.create(one, other, at, (long) rows.size()));
      }
    }
    Workbench bench = new Workbench();
    bench
        .spark()
        .createDataFrame(
            rows,
            new StructType()
                .add("shop", DataTypes.StringType)
                .add("item", DataTypes.StringType)
                .add("at", DataTypes.TimestampType)
                .add("points", DataTypes.LongType))
        .write()
        .parquet(bench.path("rows").toString());
    bench.define(
        "rows.conf",
        """
        entities {
          offer { keys = [{ name = shop, type = string }, { name = item, type = string }] }
          tag { keys = [{ name = shop, type = string }] }
        }
        sources { rows { format = parquet, path = "%s" } }
        feature-views {
          offers {
            entity = offer, sources = [rows]
            sql = "SELECT * FROM rows WHERE at = :as_of"
            features = [{ name = points, type = bigint }]
          }
          tags {
            entity = tag, sources = [rows]
            sql = "SELECT shop, max(points) AS points FROM rows WHERE at = :as_of GROUP BY shop"
            features = [{ name = points, type = bigint }]
          }
        }
        """
            .formatted(bench.path("rows")));
    bench.set("push.rows-per-bucket", "5");
    bench.build("offers", MONDAY);
    bench.push("offers");
    bench.build("tags", MONDAY);
    bench.push("tags");

    VersionRecord record = OnlineCopy.released(bench, "offers");
    Map<String, OnlineCopy.Entry> offers = OnlineCopy.inRedis(bench, record);
    assertThat(record.getEntityKeysList()).containsExactly("shop", "item");
    assertThat(offers).hasSize(texts.size() * texts.size());
    rows.forEach(
        row -> {
          String id = EntityId.of(List.of(row.getString(0), row.getString(1)));
          assertThat(offers.get(id).values())
              .isEqualTo(Map.of("points", Values.ofLong(row.getLong(3))));
        });
    assertThat(offers).containsKeys("a\\|b|a", "\\\\|\\|", "🏔|\n");
    assertThat(OnlineCopy.inRedis(bench, OnlineCopy.released(bench, "tags")))
        .containsOnlyKeys(texts);
    OnlineCopy.assertServedAsInIceberg(bench, "offers");
    OnlineCopy.assertServedAsInIceberg(bench, "tags");
    OnlineCopy.assertNoForeignKeys(bench, "offers");
  }

  @Test
  void featuresMayBeRenamedDroppedAddedAndWidenedBetweenBuilds() {
    Workbench bench = new Workbench();
    Scores.query(
        bench,
        """
        SELECT id AS user_id, at, CAST(id AS INT) AS points, 1.5F AS ratio, 'x' AS level,
          array(id) AS history, id * 2 AS bonus
        FROM range(20), VALUES (TIMESTAMP '2026-01-05'), (TIMESTAMP '2026-01-06') AS t(at)
        WHERE id < 10 OR at = '2026-01-05'
        """);
    Scores.define(
        bench,
        "[{ name = points, type = int }, { name = ratio, type = float }, { name = level, type = string }]",
        "");
    bench.build(VIEW, MONDAY);
    VersionRecord before = bench.push(VIEW).record();
    Map<String, OnlineCopy.Entry> rowsBefore = OnlineCopy.inRedis(bench, before);

    Scores.define(
        bench,
        "user_id, CAST(points AS BIGINT) AS score, CAST(ratio AS DOUBLE) AS ratio, history, bonus",
        """
        [{ name = history, type = "array<bigint>" }
         { name = score, was = points, type = bigint }
         { name = ratio, type = double }
         { name = bonus, type = bigint, default = 0 }]
        """,
        "");
    bench.build(VIEW, TUESDAY);
    VersionRecord after = bench.push(VIEW).record();

    assertThat(fields(before))
        .isEqualTo(Map.of("points", "int", "ratio", "float", "level", "string"));
    assertThat(fields(after))
        .isEqualTo(
            Map.of(
                "score",
                "bigint",
                "ratio",
                "double",
                "history",
                "array<bigint>",
                "bonus",
                "bigint"));
    assertThat(feature(after, "score").getFieldId())
        .isEqualTo(feature(before, "points").getFieldId());
    assertThat(feature(after, "bonus").getFieldId())
        .isGreaterThan(feature(before, "level").getFieldId());
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    Map<String, OnlineCopy.Entry> rowsAfter = OnlineCopy.inRedis(bench, after);
    assertThat(rowsAfter).hasSize(20);
    // Built on Monday, under the older schema.
    assertThat(rowsAfter.get("15"))
        .isEqualTo(
            new OnlineCopy.Entry(
                Instant.parse(MONDAY),
                Map.of(
                    "score",
                    Values.ofLong(15),
                    "ratio",
                    Values.ofDouble(1.5),
                    "history",
                    Values.NULL,
                    "bonus",
                    Values.NULL)));
    assertThat(OnlineCopy.inRedis(bench, before)).isEqualTo(rowsBefore);
  }

  @Test
  void aSnapshotFromBeforeASchemaChangeIsPushedUnderItsOwnSchema() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a'), (2, '2026-01-05', 2, 'b')");
    bench.build(VIEW, MONDAY);
    long before = table(bench).currentSnapshot().snapshotId();
    Scores.define(
        bench,
        "user_id, points AS score, points * 2 AS bonus",
        "[{ name = score, was = points, type = bigint }, { name = bonus, type = bigint }]",
        "");
    bench.build(VIEW, MONDAY);

    VersionRecord old = push(bench, Long.toString(before)).record();
    assertThat(fields(old)).isEqualTo(Map.of("points", "bigint", "level", "string"));
    assertThat(OnlineCopy.inRedis(bench, old))
        .isEqualTo(
            Map.of(
                "1", entry(MONDAY, Values.ofLong(1), Values.ofString("a")),
                "2", entry(MONDAY, Values.ofLong(2), Values.ofString("b"))));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
    VersionRecord now = bench.push(VIEW).record();
    assertThat(fields(now)).isEqualTo(Map.of("score", "bigint", "bonus", "bigint"));
    OnlineCopy.assertServedAsInIceberg(bench, VIEW);
  }

  @Test
  void aTypeThatWasChangedButNotBuiltIsRefused() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, MONDAY);
    Scores.define(bench, "[{ name = points, type = double }, { name = level, type = string }]", "");
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(UsageException.class)
        .hasMessageMatching(
            "features/scores.conf:\\d+: feature 'points' is double in the definition and bigint in the"
                + " snapshot; build an as-of first");
    assertThat(everything(bench)).isEmpty();
  }

  @Test
  void whereNothingIsBuiltThereIsNothingToPush() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessage("nothing has been built of 'score' yet: ./tarn build view=score as-of=…");
    assertThat(everything(bench)).isEmpty();

    assertThat(bench.run("push", "view=scores")).isEqualTo(2);
    assertThat(bench.output()).contains("there is no feature view 'scores'; did you mean 'score'?");
    assertThat(bench.run("push", "view=score", "push.keep=0")).isEqualTo(2);
    assertThat(bench.output()).contains("push.keep").contains("at least 1");
  }

  @Test
  void aViewWithoutRowsIsNotPushed() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a')");
    bench.build(VIEW, TUESDAY);
    long snapshot = table(bench).currentSnapshot().snapshotId();
    assertThatThrownBy(() -> bench.push(VIEW))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "score: snapshot %d has no rows, and an empty version would answer NOT_FOUND to everything"
                .formatted(snapshot));
    assertThat(everything(bench)).isEmpty();
  }

  @Test
  void theCommandVersionsListsWhatIsReleasedAndWhatIsKept() {
    Workbench bench = Scores.bench("(1, '2026-01-05', 1, 'a'), (2, '2026-01-06', 2, 'b')");
    assertThat(bench.run("versions")).isZero();
    assertThat(bench.output().strip()).isEqualTo("Nothing is released yet: ./tarn push view=…");
    assertThat(bench.run("versions", "format=json")).isZero();
    assertThat(bench.output().strip()).isEqualTo("[]");

    bench.build(VIEW, MONDAY);
    VersionRecord old = bench.push(VIEW).record();
    bench.build(VIEW, TUESDAY);
    bench.output();
    assertThat(bench.run("push", "view=score", "format=json")).isZero();
    VersionRecord released = OnlineCopy.released(bench, VIEW);
    Release release = bench.versions().released(VIEW).orElseThrow();
    String pushed = bench.output();
    JsonObject push =
        JsonParser.parseString(pushed.substring(0, pushed.indexOf('\n'))).getAsJsonObject();
    assertThat(push.get("version").getAsString()).isEqualTo(released.getVersion());
    assertThat(push.get("snapshot_id").getAsString())
        .isEqualTo(Long.toString(released.getSnapshotId()));
    assertThat(push.get("as_of").getAsString()).isEqualTo(TUESDAY);
    assertThat(push.get("pushed").getAsBoolean()).isTrue();
    assertThat(push.get("rows").getAsLong()).isEqualTo(2);

    assertThat(bench.run("versions", "view=score")).isZero();
    List<String> lines = bench.output().lines().map(String::strip).toList();
    assertThat(lines.get(0))
        .matches("feature view +version +state +snapshot id +as-of +rows +pushed at +released at");
    assertThat(lines)
        .anyMatch(
            line ->
                line.matches(
                    "score +%s +released +%d +%s +2 +\\S+ +%s"
                        .formatted(
                            released.getVersion(),
                            released.getSnapshotId(),
                            TUESDAY,
                            release.releasedAt())))
        .anyMatch(
            line ->
                line.matches(
                    "score +%s +kept +%d +%s +1 +\\S+ +-"
                        .formatted(old.getVersion(), old.getSnapshotId(), MONDAY)));

    assertThat(bench.run("versions", "format=json")).isZero();
    JsonArray json = JsonParser.parseString(bench.output()).getAsJsonArray();
    assertThat(json).hasSize(2);
    assertThat(json.get(0))
        .isEqualTo(
            JsonParser.parseString(
                """
                {"feature_view": "score", "version": "%s", "state": "released",
                 "snapshot_id": "%d", "as_of": "%s", "rows": 2, "pushed_at": "%s",
                 "released_at": "%s", "pinned": false}
                """
                    .formatted(
                        released.getVersion(),
                        released.getSnapshotId(),
                        TUESDAY,
                        Timestamps.toString(released.getCreatedAt()),
                        release.releasedAt())));
    assertThat(json.get(1).getAsJsonObject().get("state").getAsString()).isEqualTo("kept");
    assertThat(json.get(1).getAsJsonObject().has("released_at")).isFalse();

    assertThat(bench.run("versions", "view=scores")).isEqualTo(2);
    assertThat(bench.output())
        .contains("nothing is released of a feature view 'scores'; did you mean 'score'?");
  }

  /** Hears what is published on the channel of releases. */
  private static final class Notices extends JedisPubSub implements AutoCloseable {

    final List<String> heard = new CopyOnWriteArrayList<>();
    private final Jedis jedis;
    private final Thread thread;

    Notices(Workbench bench) {
      jedis = OnlineCopy.jedis(bench);
      String channel = "{%s}:released".formatted(namespace(bench));
      thread = new Thread(() -> jedis.subscribe(this, channel), "notices");
      thread.setDaemon(true);
      thread.start();
      await().until(this::isSubscribed);
    }

    @Override
    public void onMessage(String channel, String message) {
      heard.add(message);
    }

    @Override
    public void close() {
      unsubscribe();
      await().until(() -> !thread.isAlive());
      jedis.close();
    }
  }

  private static Push.Outcome push(Workbench bench, String snapshot) {
    Console console =
        new Console(
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8));
    Definitions definitions = bench.definitions();
    return new Push(bench.lake(), bench.redis(), bench.settings(), console)
        .push(
            List.of(definitions.view(VIEW)),
            definitions.storedServices(List.of(definitions.view(VIEW))),
            new Push.Request(Optional.of(snapshot), Push.Mode.AUTO, false))
        .get(0);
  }

  private static Workbench generated(int users) {
    Workbench bench = Scores.bench("(1, '2026-01-05', 0, 'low')");
    Scores.generate(bench, "2026-01-05", users, 20, 1);
    bench.build(VIEW, MONDAY);
    return bench;
  }

  private static void defineService(Workbench bench, String features) {
    bench.define(
        "services.conf",
        "feature-services { ranking { owner = fun, features = %s } }".formatted(features));
  }

  private static OnlineCopy.Entry entry(String eventTimestamp, Value points, Value level) {
    return new OnlineCopy.Entry(
        Instant.parse(eventTimestamp), Map.of("points", points, "level", level));
  }

  private static Table table(Workbench bench) {
    return FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg();
  }

  private static String namespace(Workbench bench) {
    return bench.settings().read(tarn -> tarn.getString("redis.namespace"));
  }

  private static JsonObject stored(Workbench bench, String hash, String field) {
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      return JsonParser.parseString(jedis.hget(hash, field)).getAsJsonObject();
    }
  }

  /** All that Redis has in the workbench's namespace. */
  private static Map<String, Object> everything(Workbench bench) {
    Map<String, Object> everything = new TreeMap<>();
    String namespace = namespace(bench);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      Set<String> keys = new HashSet<>(jedis.keys(namespace + ":*"));
      keys.addAll(jedis.keys("{" + namespace + "}:*"));
      for (String key : keys) {
        everything.put(key, jedis.type(key).equals("hash") ? jedis.hgetAll(key) : jedis.get(key));
      }
    }
    return everything;
  }

  private static Map<String, String> fields(VersionRecord record) {
    Map<String, String> fields = new TreeMap<>();
    record
        .getFeaturesList()
        .forEach(feature -> fields.put(feature.getName(), FeatureTypes.name(feature.getType())));
    return fields;
  }

  private static StoredFeature feature(VersionRecord record, String name) {
    return record.getFeaturesList().stream()
        .filter(feature -> feature.getName().equals(name))
        .findFirst()
        .orElseThrow();
  }
}
