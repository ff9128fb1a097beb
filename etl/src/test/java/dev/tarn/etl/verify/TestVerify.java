package dev.tarn.etl.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.Ledger;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.push.Scores;
import dev.tarn.etl.verify.Difference.DifferenceKind;
import dev.tarn.etl.verify.Difference.FeatureDifference;
import dev.tarn.etl.verify.Verify.VerifyRequest;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisClusterFixture;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.TcpProxy;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.iceberg.Table;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisCluster;

class TestVerify {

  private static final String VIEW = "score";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  private static final String FEATURES =
      "[{ name = points, type = bigint }, { name = ratio, type = double }, { name = level, type = string }, { name = tags, type = \"array<string>\" }]";

  @Test
  void whatIsServedIsItsSnapshotAndTheFiguresAreThoseOfSql() {
    Workbench bench = pushed(1_000);
    Verification found = verify(bench, VerifyRequest.ALL);

    assertThat(found.isEqual()).isTrue();
    assertThat(found.isReleased()).isTrue();
    assertThat(found.online()).isEqualTo(1_000);
    assertThat(found.offline()).isEqualTo(1_000);
    assertThat(found.first()).isEmpty();
    Row sql =
        bench
            .spark()
            .sql(
                """
                SELECT avg(points), variance(points), min(points), max(points),
                  count_if(ratio IS NULL), count_if(isnan(ratio)),
                  avg(ratio) FILTER (WHERE NOT isnan(ratio)),
                  variance(ratio) FILTER (WHERE NOT isnan(ratio)),
                  percentile_disc(0.5) WITHIN GROUP (ORDER BY points),
                  percentile_disc(0.95) WITHIN GROUP (ORDER BY points)
                FROM %s
                """
                    .formatted(bench.lake().sqlName(VIEW)))
            .head();
    for (boolean isOnline : new boolean[] {true, false}) {
      Statistics points = of(found, "points", isOnline);
      assertThat(points.mean().orElseThrow()).isCloseTo(sql.getDouble(0), within(1e-9));
      assertThat(points.variance().orElseThrow()).isCloseTo(sql.getDouble(1), within(1e-6));
      assertThat(points.min()).hasValue((double) sql.getLong(2));
      assertThat(points.max()).hasValue((double) sql.getLong(3));
      assertThat(points.quantile(0.5).orElseThrow()).isCloseTo(sql.getDouble(8), within(20.0));
      assertThat(points.quantile(0.95).orElseThrow()).isCloseTo(sql.getDouble(9), within(20.0));
      assertThat(points.nulls()).isZero();
      assertThat(points.distinct()).isBetween(970L, 1_030L);
      long inBars = 0;
      for (int bin = 0; bin <= points.bins().count() + 1; bin++) {
        inBars += points.bar(bin);
      }
      assertThat(inBars).isEqualTo(1_000);

      Statistics ratio = of(found, "ratio", isOnline);
      assertThat(ratio.nulls()).isEqualTo(sql.getLong(4)).isEqualTo(200);
      assertThat(ratio.nullRate()).isEqualTo(0.2);
      assertThat(ratio.notFinite()).isEqualTo(sql.getLong(5)).isEqualTo(200);
      assertThat(ratio.mean().orElseThrow()).isCloseTo(sql.getDouble(6), within(1e-9));
      assertThat(ratio.variance().orElseThrow()).isCloseTo(sql.getDouble(7), within(1e-6));
      assertThat(of(found, "level", isOnline).distinct()).isEqualTo(3);
    }
  }

  @Test
  void whatWasChangedInRedisIsNamedAndNothingElse() {
    Workbench bench = pushed(1_000);
    // Ids of one remainder by 5: what their ratio is.
    change(bench, "13", row -> flipped(row, bytesOfRatioEnd(row) - 1, 0x80)); // 0.0: its sign
    change(bench, "15", row -> flipped(row, bytesOfRatioEnd(row) - 8, 0x01)); // NaN: its last bit
    change(bench, "14", row -> flipped(row, bytesOfRatioEnd(row) - 2, 0x10));
    change(bench, "21", row -> null);
    change(bench, "22", row -> java.util.Arrays.copyOf(row, row.length - 1));
    byte[] copy = stored(bench, "30");
    VersionRecord record = OnlineCopy.released(bench, VIEW);
    put(bench, bucket(record, "<nobody>"), "<nobody>", copy);
    put(bench, (bucket(record, "31") + 1) % record.getBuckets(), "31", copy);

    Verification found = verify(bench, VerifyRequest.ALL);

    assertThat(found.isEqual()).isFalse();
    assertThat(found.online()).isEqualTo(1_000);
    assertThat(found.offline()).isEqualTo(1_000);
    assertThat(found.counts())
        .isEqualTo(
            Map.of(
                DifferenceKind.DIFFERENT, 3L,
                DifferenceKind.MISSING, 1L,
                DifferenceKind.UNREADABLE, 1L,
                DifferenceKind.FOREIGN, 1L,
                DifferenceKind.MISPLACED, 1L));
    assertThat(found.first())
        .extracting(Difference::entityId)
        .containsExactly("13", "14", "15", "21", "22", "31", "<nobody>");
    assertThat(found.first().get(0).features())
        .containsExactly(new FeatureDifference("ratio", "-0.0", "0.0"));
    assertThat(found.first().get(1).features()).hasSize(1);
    assertThat(found.first().get(2).features())
        .containsExactly(
            new FeatureDifference("ratio", "NaN (0x7ff8000000000001)", "NaN (0x7ff8000000000000)"));
    assertThat(found.first().get(4).detail()).contains("the row ends at byte");
    assertThat(found.first().get(5).kind()).isEqualTo(DifferenceKind.MISPLACED);
    assertThat(found.features())
        .extracting(Verification.OfFeature::differing)
        .containsExactly(0L, 3L, 0L, 0L);
    assertThat(of(found, "points", true).rows()).isEqualTo(999);
    assertThat(of(found, "points", false).rows()).isEqualTo(1_000);

    Verification few = verify(bench, new VerifyRequest(Optional.empty(), 1, 2));
    assertThat(few.differing()).isEqualTo(7);
    assertThat(few.first()).extracting(Difference::entityId).containsExactly("13", "14");
  }

  /** Whichever byte of a row is another one, the row is not as it was written. */
  @Test
  void everyByteOfARowCounts() {
    Workbench bench = pushed(60);
    for (int id = 0; id < 60; id++) {
      int which = id;
      change(
          bench, Integer.toString(id), row -> flipped(row, which % row.length, 1 << (which % 7)));
    }
    Verification found = verify(bench, new VerifyRequest(Optional.empty(), 1, 100));
    assertThat(found.differing()).isEqualTo(60);
    assertThat(found.first()).hasSize(60);
  }

  @Test
  void rowsThatNoLookupAnswersForTheirAgeAreSaidToBeSo() throws Exception {
    Workbench bench = new Workbench();
    define(bench, "max-age = 36h");
    users(bench, "2026-01-05", 0, 30, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    Path page = bench.path("report.html");
    assertThat(bench.run("verify", "view=score", "report=" + page)).isZero();
    String none =
        "none of them is answered: rows older than the max age of 36h are OUTSIDE_MAX_AGE";
    assertThat(bench.output())
        .contains("30 entities online, 30 in the snapshot: all of them equal, bit for bit")
        .contains(none);
    assertThat(Files.readString(page)).contains("Equal, bit for bit").contains(none);

    Instant young = Instant.now().truncatedTo(ChronoUnit.SECONDS).minusSeconds(3600);
    users(bench, young.toString(), 0, 12, 0);
    bench.build(VIEW, young.toString());
    bench.push(VIEW);
    assertThat(bench.run("verify", "view=score", "format=json")).isZero();
    assertThat(bench.output()).contains("\"state\":\"equal\"", "\"entities_outside_max_age\":18");
    assertThat(bench.run("verify", "view=score")).isZero();
    assertThat(bench.output())
        .contains(
            "18 of them are not answered: rows older than the max age of 36h are OUTSIDE_MAX_AGE");
    define(bench, "");
    bench.push(VIEW);
    assertThat(bench.run("verify", "view=score")).isZero();
    assertThat(bench.output()).doesNotContain("answered");
  }

  @Test
  void theCommandFailsWithWhatDiffersAndLeavesAReportAndARowInTheHistory() throws Exception {
    Workbench bench = pushed(100);
    Path page = bench.path("report.html");
    String version = OnlineCopy.released(bench, VIEW).getVersion();
    assertThat(bench.run("verify", "view=score", "report=" + page)).isZero();
    assertThat(bench.output())
        .contains("version " + version)
        .contains("100 entities online, 100 in the snapshot: all of them equal, bit for bit")
        .contains("ratio");
    String equal = Files.readString(page);
    assertThat(equal).contains(version);

    change(bench, "21", row -> null);
    change(bench, "13", row -> flipped(row, bytesOfRatioEnd(row) - 1, 0x80));
    assertThat(bench.run("verify", "view=score", "format=json", "report=" + page)).isEqualTo(1);
    String output = bench.output();
    assertThat(output)
        .contains("2 of 100 entities differ: 1 has other values, 1 is missing online")
        .contains("entity '13': ratio is -0.0 online, 0.0 in the snapshot")
        .contains("entity '21' is missing online");
    JsonObject json =
        JsonParser.parseString(output.lines().filter(l -> l.startsWith("{")).findFirst().get())
            .getAsJsonObject();
    assertThat(json.get("state").getAsString()).isEqualTo("different");
    assertThat(json.get("differing").getAsLong()).isEqualTo(2);
    assertThat(json.get("report").getAsString()).isEqualTo(page.toString());
    assertThat(json.getAsJsonArray("features").get(1).getAsJsonObject().getAsJsonObject("online"))
        .satisfies(online -> assertThat(online.get("mean").getAsDouble()).isPositive());
    assertThat(Files.readString(page)).isNotEqualTo(equal);
    assertSelfContained(page, "21", "13", "-0.0");
    try (var files = Files.list(page.getParent())) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .noneMatch(name -> name.endsWith(".part"));
    }

    List<Row> rows =
        bench
            .spark()
            .sql(
                "SELECT feature, equal, entities_online, entities_offline, entities_differing, differing, online.nulls, offline.rows, online.mean, version FROM %s ORDER BY verified_at, feature"
                    .formatted(bench.lake().sqlName(Ledger.VERIFICATIONS)))
            .collectAsList();
    assertThat(rows).hasSize(8);
    assertThat(rows)
        .extracting(row -> row.getString(0))
        .containsExactly("level", "points", "ratio", "tags", "level", "points", "ratio", "tags");
    assertThat(rows).extracting(row -> row.getBoolean(1)).startsWith(true).endsWith(false);
    Row ratio = rows.get(6);
    assertThat(ratio.getLong(2)).isEqualTo(99);
    assertThat(ratio.getLong(3)).isEqualTo(100);
    assertThat(ratio.getLong(4)).isEqualTo(2);
    assertThat(ratio.getLong(5)).isEqualTo(1);
    assertThat(ratio.getLong(6)).isEqualTo(20);
    assertThat(ratio.getLong(7)).isEqualTo(100);
    assertThat(ratio.getDouble(8)).isPositive();
    assertThat(ratio.getString(9)).isEqualTo(version);
    assertThat(rows.get(4).isNullAt(8)).as("a mean of text").isTrue();

    assertThat(bench.run("expire", "older-than=0s")).isZero();
    assertThat(bench.output()).contains("tarn_verifications: 1 snapshot expired");
    assertThat(bench.spark().table(bench.lake().sqlName(Ledger.VERIFICATIONS)).count())
        .isEqualTo(8);
  }

  @Test
  void aPageShowsIdsAndValuesAsTheyAreAndNeedsNothingElse() throws Exception {
    Workbench bench = pushed(500);
    byte[] copy = stored(bench, "30");
    for (String id : List.of("<script>alert(1)</script>", "&\u0001\"'", "\ud83d\ude00")) {
      put(bench, bucket(OnlineCopy.released(bench, VIEW), id), id, copy);
    }
    ReportFile file = ReportFile.at(bench.path("page.html"));
    file.write(Report.of(verify(bench, VerifyRequest.ALL)));
    Element page =
        assertSelfContained(file.path(), "<script>alert(1)</script>", "&\ufffd\"'", "\ud83d\ude00");

    List<Element> cards =
        elements(page).stream().filter(e -> e.getTagName().equals("article")).toList();
    assertThat(cards)
        .extracting(card -> card.getElementsByTagName("h3").item(0).getTextContent())
        .containsExactly("points", "ratio", "level", "tags");
    assertThat(cards)
        .extracting(card -> card.getElementsByTagName("svg").getLength())
        .containsExactly(2, 2, 0, 0);
    // What a pointer over the bars is told adds up to all rows.
    long online = 0;
    long offline = 0;
    Pattern bar = Pattern.compile(".*: ([\\d,]+) online, ([\\d,]+) in the snapshot");
    Element histogram = (Element) cards.get(0).getElementsByTagName("svg").item(0);
    for (Element title : elements(histogram)) {
      Matcher told = bar.matcher(title.getTextContent());
      if (title.getTagName().equals("title") && told.matches()) {
        online += Long.parseLong(told.group(1).replace(",", ""));
        offline += Long.parseLong(told.group(2).replace(",", ""));
      }
    }
    assertThat(online).isEqualTo(503);
    assertThat(offline).isEqualTo(500);
  }

  @ParameterizedTest
  @ValueSource(strings = {"full", "changes"})
  void anOverlayIsVerifiedAsLookupsReadIt(String history) {
    Workbench bench =
        new Workbench().set("push.rows-per-bucket", "20").set("push.max-overlay", "9");
    define(bench, "history = " + history);
    users(bench, "2026-01-05", 0, 500, 0);
    bench.build(VIEW, MONDAY);
    VersionRecord full = bench.push(VIEW).record();
    // Some stay, some change, some go, some come.
    users(bench, "2026-01-06", 50, 510, 60);
    bench.build(VIEW, TUESDAY);
    bench.spark().sql("DELETE FROM %s WHERE user_id < 50".formatted(bench.lake().sqlName(VIEW)));
    VersionRecord delta = bench.push(VIEW).record();
    assertThat(delta.hasBase()).isTrue();

    Verification found = verify(bench, VerifyRequest.ALL);
    assertThat(found.record()).isEqualTo(delta);
    assertThat(found.first()).isEmpty();
    assertThat(found.isEqual()).isTrue();
    assertThat(found.online()).isEqualTo(460);

    Verification kept = verify(bench, new VerifyRequest(Optional.of(full.getVersion()), 1, 20));
    assertThat(kept.isEqual()).isTrue();
    assertThat(kept.isReleased()).isFalse();
    assertThat(kept.online()).isEqualTo(500);

    // Without its tombstone an entity is the base's again, and so is a changed one without its row.
    change(bench, delta, "3", row -> null);
    change(bench, delta, "55", row -> null);
    Verification broken = verify(bench, VerifyRequest.ALL);
    assertThat(broken.first())
        .extracting(difference -> difference.entityId() + " " + difference.kind())
        .containsExactly("3 FOREIGN", "55 DIFFERENT");
  }

  @Test
  void aSampleIsSomeOfTheEntitiesOnBothSides() {
    Workbench bench = pushed(2_000);
    Verification found = verify(bench, new VerifyRequest(Optional.empty(), 0.3, 20));
    assertThat(found.isEqual()).isTrue();
    assertThat(found.online()).isEqualTo(found.offline()).isBetween(100L, 1_200L);
    assertThatThrownBy(() -> verify(bench, new VerifyRequest(Optional.empty(), 1e-9, 20)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("it took none; take more");
  }

  @Test
  void whatIsReleasedMeanwhileIsNotWhatTheReportIsAbout() throws Exception {
    Workbench bench = pushed(200);
    VersionRecord old = OnlineCopy.released(bench, VIEW);
    change(bench, "21", row -> null);
    users(bench, "2026-01-06", 0, 150, 3);
    bench.build(VIEW, TUESDAY);
    Path page = bench.path("report.html");
    try (TcpProxy proxy = pushingBefore(bench, request -> readsRowsOf(old, request))) {
      assertThat(bench.run("verify", "view=score", "format=json", "report=" + page)).isEqualTo(1);
    }
    VersionRecord now = OnlineCopy.released(bench, VIEW);
    assertThat(now.getVersion()).isNotEqualTo(old.getVersion());
    assertThat(bench.output())
        .contains(
            "score: %s has been released meanwhile; what was verified is %s"
                .formatted(now.getVersion(), old.getVersion()))
        .contains(
            "\"version\":\"%s\",\"released\":true,\"snapshot_id\":\"%d\""
                .formatted(old.getVersion(), old.getSnapshotId()))
        .contains("\"entities_online\":199,\"entities_offline\":200")
        .contains("entity '21' is missing online");
    assertThat(Files.readString(page))
        .contains(old.getVersion(), Long.toString(old.getSnapshotId()))
        .doesNotContain(now.getVersion());
    assertThat(verify(bench, VerifyRequest.ALL).record()).isEqualTo(now);
  }

  /** Prunes the version at two moments: when the release is known, and when rows are read. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aVersionThatIsPrunedMeanwhileIsSaidToBe(boolean isRead) {
    Workbench bench = pushed(200).set("push.keep", "1");
    VersionRecord old = OnlineCopy.released(bench, VIEW);
    users(bench, "2026-01-05", 0, 200, 3);
    bench.build(VIEW, MONDAY);
    try (TcpProxy proxy =
        pushingBefore(
            bench,
            request ->
                isRead
                    ? readsRowsOf(old, request)
                    : request.contains("HGET\r\n") && request.contains(old.getVersion()))) {
      assertThatThrownBy(() -> verify(bench, VerifyRequest.ALL))
          .isInstanceOf(TarnException.class)
          .hasMessage(
              "score: version %s was pruned while it was verified, so this says nothing of what is released; verify again"
                  .formatted(old.getVersion()));
    }
    Verification found = verify(bench, VerifyRequest.ALL);
    assertThat(found.isEqual()).isTrue();
    assertThat(found.record().getVersion()).isNotEqualTo(old.getVersion());
  }

  @Test
  void aSnapshotThatSomebodyElseExpiredIsSaidToBe() {
    Workbench bench = pushed(10);
    VersionRecord record = OnlineCopy.released(bench, VIEW);
    users(bench, "2026-01-06", 0, 10, 0);
    bench.build(VIEW, TUESDAY);
    Table table = FeatureTable.find(bench.lake().catalog(), VIEW).orElseThrow().iceberg();
    table.manageSnapshots().removeTag("tarn-" + record.getVersion()).commit();
    table.expireSnapshots().expireSnapshotId(record.getSnapshotId()).commit();
    assertThatThrownBy(() -> verify(bench, VerifyRequest.ALL))
        .isInstanceOf(TarnException.class)
        .hasMessageContaining("which was expired by something else than Tarn")
        .hasMessageEndingWith("build and push the view again");
  }

  @Test
  void whatCanNotBeVerifiedIsSaidBeforeAnythingIsRead() {
    Workbench bench = new Workbench();
    define(bench, "");
    assertThatThrownBy(() -> verify(bench, VerifyRequest.ALL))
        .isInstanceOf(TarnException.class)
        .hasMessage("nothing is released of 'score' yet: ./tarn push view=score");
    assertThat(bench.run("verify", "view=score", "sample=2")).isEqualTo(2);
    assertThat(bench.output()).contains("sample=2 is not a share of the entities");
    Path nowhere = bench.path("none/report.html");
    assertThat(bench.run("verify", "view=score", "report=" + nowhere)).isEqualTo(2);
    assertThat(bench.output()).contains("no folder that can be written to");
    assertThat(bench.run("verify", "view=score", "report=" + bench.path("report.pdf")))
        .isEqualTo(2);

    users(bench, "2026-01-05", 0, 10, 0);
    bench.build(VIEW, MONDAY);
    VersionRecord record = bench.push(VIEW).record();
    assertThatThrownBy(() -> verify(bench, new VerifyRequest(Optional.of("v9-none"), 1, 20)))
        .isInstanceOf(UsageException.class)
        .hasMessage("version=v9-none: score has %s in Redis".formatted(record.getVersion()));
  }

  @Test
  void aClusterIsReadWhereverItsBucketsAre() {
    try (RedisClusterFixture cluster = RedisClusterFixture.ofMasters(3)) {
      Workbench bench =
          new Workbench()
              .set("redis.port", Integer.toString(cluster.port(0)))
              .set("push.rows-per-bucket", "20");
      define(bench, "");
      users(bench, "2026-01-05", 0, 3_000, 0);
      bench.build(VIEW, MONDAY);
      VersionRecord record = bench.push(VIEW).record();
      assertThat(verify(bench, VerifyRequest.ALL).isEqual()).isTrue();

      try (JedisCluster jedis =
          new JedisCluster(new HostAndPort("127.0.0.1", cluster.port(0)), 10_000)) {
        for (String id : List.of("7", "70", "700")) {
          jedis.hdel(key(bench, record, bucket(record, id)), bytes(id));
        }
      }
      Verification found = verify(bench, VerifyRequest.ALL);
      assertThat(found.counts()).isEqualTo(Map.of(DifferenceKind.MISSING, 3L));
      assertThat(found.first()).extracting(Difference::entityId).containsExactly("7", "70", "700");
    }
  }

  /** A page that parses strictly, says these texts, and would load nothing. */
  private static Element assertSelfContained(Path file, String... texts) throws Exception {
    Element page =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(file.toFile())
            .getDocumentElement();
    assertThat(page.getTextContent()).contains(texts);
    assertThat(page.getElementsByTagName("style").item(0).getTextContent())
        .doesNotContain("url(", "@import");
    List<Element> elements = elements(page);
    assertThat(elements)
        .extracting(Element::getTagName)
        .doesNotContain("script", "link", "img", "iframe", "object", "image", "use");
    for (Element element : elements) {
      assertThat(element.hasAttribute("src")).isFalse();
      assertThat(element.getAttribute("href")).matches("|#f\\d+");
    }
    return page;
  }

  private static List<Element> elements(Element root) {
    NodeList all = root.getElementsByTagName("*");
    return IntStream.range(0, all.getLength()).mapToObj(i -> (Element) all.item(i)).toList();
  }

  private static Verification verify(Workbench bench, VerifyRequest request) {
    return new Verify(bench.lake(), bench.redis(), Console.silent())
        .verify(bench.definitions().view(VIEW), request);
  }

  /** The way to Redis from now on; the newest snapshot is pushed before a request goes there. */
  private static TcpProxy pushingBefore(Workbench bench, Predicate<String> requests) {
    TcpProxy proxy = new TcpProxy(Workbench.redisPort());
    proxy.before(
        requests,
        request -> {
          bench.set("redis.port", Integer.toString(Workbench.redisPort()));
          bench.push(VIEW);
        });
    bench.set("redis.port", Integer.toString(proxy.port()));
    return proxy;
  }

  private static boolean readsRowsOf(VersionRecord record, String request) {
    return request.contains("HGETALL") && request.contains(record.getVersion() + ":");
  }

  private static Statistics of(Verification found, String feature, boolean isOnline) {
    return found.features().stream()
        .filter(f -> f.feature().getName().equals(feature))
        .map(f -> isOnline ? f.online() : f.offline())
        .findFirst()
        .orElseThrow();
  }

  private static Workbench pushed(int users) {
    Workbench bench = new Workbench().set("push.rows-per-bucket", "20");
    define(bench, "");
    users(bench, "2026-01-05", 0, users, 0);
    bench.build(VIEW, MONDAY);
    bench.push(VIEW);
    return bench;
  }

  private static void define(Workbench bench, String more) {
    Scores.define(bench, FEATURES, more);
  }

  /** Users of a range, those below {@code changed} with points of their own. */
  private static void users(Workbench bench, String at, int from, int to, int changed) {
    Scores.query(
        bench,
        """
        SELECT id AS user_id, TIMESTAMP '%s' AS at,
          CASE WHEN id < %d THEN id + 1000000 ELSE id * 7 END AS points,
          CASE id %% 5 WHEN 0 THEN DOUBLE('NaN') WHEN 1 THEN -0.0D WHEN 2 THEN NULL
            WHEN 3 THEN 0.0D ELSE id / 3.0D END AS ratio,
          concat('level ', id %% 3) AS level, array('a', NULL, 'tag') AS tags
        FROM range(%d, %d)
        """
            .formatted(at, changed, from, to));
  }

  /** Behind the eight bytes of {@code ratio}: before level's and tags' 22 or so. */
  private static int bytesOfRatioEnd(byte[] row) {
    int level = 1 + "level 0".length();
    int tags = 1 + 1 + 2 + 4;
    return row.length - level - tags;
  }

  private static byte[] flipped(byte[] row, int at, int bits) {
    byte[] other = row.clone();
    other[at] ^= (byte) bits;
    return other;
  }

  private static byte[] stored(Workbench bench, String id) {
    VersionRecord record = OnlineCopy.released(bench, VIEW);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      return jedis.hget(key(bench, record, bucket(record, id)), bytes(id));
    }
  }

  private static void change(Workbench bench, String id, UnaryOperator<byte[]> change) {
    change(bench, OnlineCopy.released(bench, VIEW), id, change);
  }

  /** Puts another row in the place of an entity's; null: none. */
  private static void change(
      Workbench bench, VersionRecord record, String id, UnaryOperator<byte[]> change) {
    byte[] key = key(bench, record, bucket(record, id));
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      byte[] row = jedis.hget(key, bytes(id));
      assertThat(row).as("row of %s", id).isNotNull();
      byte[] changed = change.apply(row);
      if (changed == null) {
        jedis.hdel(key, bytes(id));
      } else {
        jedis.hset(key, bytes(id), changed);
      }
    }
  }

  private static void put(Workbench bench, int bucket, String id, byte[] row) {
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.hset(key(bench, OnlineCopy.released(bench, VIEW), bucket), bytes(id), row);
    }
  }

  private static int bucket(VersionRecord record, String id) {
    return RedisKeys.bucketOf(bytes(id), record.getBuckets());
  }

  private static byte[] key(Workbench bench, VersionRecord record, int bucket) {
    RedisKeys keys = bench.settings().read(RedisSettings::of).keys();
    return RedisKeys.bucket(keys.bucketPrefix(VIEW, record.getVersion()), bucket);
  }

  private static byte[] bytes(String id) {
    return id.getBytes(StandardCharsets.UTF_8);
  }
}
