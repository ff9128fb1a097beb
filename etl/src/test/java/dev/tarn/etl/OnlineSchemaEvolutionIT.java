package dev.tarn.etl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.common.util.concurrent.RateLimiter;
import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.etl.compute.Build;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.read.SnapshotLookup;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.Values;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.SaveMode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Features are added, dropped, renamed and widened while clients read on and on from a server that
 * nobody restarts. Each answer names its snapshot, so each can be held against what Iceberg has in
 * that snapshot: names, values, statuses and times. What that is, is read before the push, so that
 * no answer is ahead of it.
 */
@Timeout(value = 20, unit = TimeUnit.MINUTES)
class OnlineSchemaEvolutionIT {

  private static final String VIEW = "score";
  private static final String SERVICE = "ranking";
  private static final String MONDAY = "2026-01-05T00:00:00Z";
  private static final String TUESDAY = "2026-01-06T00:00:00Z";

  /** Every sixth is in Monday's as-of only, which later builds leave as it is. */
  private static final int USERS = 42;

  private static final List<String> IDS =
      IntStream.range(0, USERS).mapToObj(Integer::toString).toList();

  /** A second. */
  private static final double REQUESTS_WHILE_BUILDING = 40;

  private static final double REQUESTS_WHILE_PUSHING = 400;

  /** Name of a feature that all versions have. */
  private static final String STEADY = "steady";

  /**
   * A feature as it is defined.
   *
   * @param more what else the definition says, e.g. its former name
   * @param sql what computes it from {@code user_id}
   */
  private record Column(String name, String type, String more, String sql) {}

  private static final Column POINTS = new Column("points", "int", "", "CAST(user_id AS INT) * 7");
  private static final Column RATIO =
      new Column("ratio", "float", "", "CAST(user_id AS FLOAT) / 10");
  private static final Column PRICE =
      new Column("price", "decimal(8,2)", "", "CAST(user_id * 1.25 AS DECIMAL(8,2))");
  private static final Column LEVEL =
      new Column("level", "string", "", "IF(user_id % 5 = 0, NULL, concat('level ', user_id))");
  private static final Column BONUS =
      new Column("bonus", "double", "default = 0.5", "IF(user_id % 7 = 0, NULL, user_id / 3D)");
  private static final Column HISTORY =
      new Column("history", "array<int>", "", "array(CAST(user_id AS INT), NULL)");
  private static final Column TOTAL =
      new Column("total", "int", "was = points", "CAST(user_id AS INT) * 11");
  private static final Column WIDE_TOTAL =
      new Column("total", "bigint", "was = points", "9007199254740990 + user_id");
  private static final Column WIDE_RATIO =
      new Column("ratio", "double", "", "CAST(user_id AS DOUBLE) / 10");
  private static final Column WIDE_PRICE =
      new Column(
          "price", "decimal(30,2)", "", "CAST(user_id AS DECIMAL(28,2)) * 12345678901234567");

  private final Workbench bench = new Workbench();

  /** Expected answers by the id of the snapshot that the answer names. */
  private final Map<Long, Expected> expected = new ConcurrentHashMap<>();

  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private volatile boolean isOver;

  /** Limits the requests of all clients together, since Spark needs the cores while it builds. */
  private final RateLimiter load = RateLimiter.create(REQUESTS_WHILE_BUILDING);

  /** One snapshot's answer, by entity, from Iceberg; and its place among the snapshots. */
  private record Expected(int step, Set<String> names, Map<String, FeatureSet> sets) {}

  @Test
  void everyAnswerIsThatOfTheSnapshotWhichItNamesWhateverBecomesOfTheSchema() throws Exception {
    writeUsers();
    release(POINTS, RATIO, PRICE, LEVEL);
    try (LookupProcess server = LookupProcess.start(bench)) {
      List<Client> clients =
          List.of(
              new AllFeatures(server),
              new SteadyFeature(server),
              new FeaturesAtHand(server),
              new ServiceFeatures(server));
      List<Thread> threads = start(clients);

      // Added: rows of the older as-of have no value, or the default.
      evolve(server, clients, POINTS, RATIO, PRICE, LEVEL, BONUS, HISTORY);
      // Dropped.
      evolve(server, clients, POINTS, RATIO, PRICE, BONUS, HISTORY);
      // Renamed: rows of the older as-of keep their values, under the new name.
      evolve(server, clients, TOTAL, RATIO, PRICE, BONUS, HISTORY);
      // Widened, with values that the narrower types don't have.
      VersionRecord older =
          evolve(server, clients, WIDE_TOTAL, WIDE_RATIO, WIDE_PRICE, BONUS, HISTORY);
      // All in one, in another order; new features have the names of some that are gone.
      evolve(
          server,
          clients,
          new Column("level", "int", "", "CAST(user_id AS INT)"),
          new Column("history", "array<int>", "", "array()"),
          new Column("cost", "decimal(38,2)", "was = price", WIDE_PRICE.sql() + " * 10"),
          new Column("points", "string", "", "concat('🏔', user_id)"),
          new Column("total", "bigint", "", WIDE_TOTAL.sql()));
      for (Client client : clients) {
        assertThat(client.seen)
            .as("steps that %s has seen", client.getClass().getSimpleName())
            .hasSize(expected.size());
      }
      stop(threads);
      rollBack(server, older);
    }
    assertThatEachSnapshotStaysReadable();
  }

  /**
   * The command {@code get snapshot=} answers from each as the server did, whatever came later; but
   * for the default that is defined no more.
   */
  private void assertThatEachSnapshotStaysReadable() {
    SnapshotLookup lookup = new SnapshotLookup(bench.lake());
    expected.forEach(
        (snapshot, version) -> {
          List<String> names =
              version.names().stream().filter(name -> !name.equals(BONUS.name())).toList();
          Map<String, FeatureSet> wanted = new HashMap<>();
          version
              .sets()
              .forEach(
                  (id, set) ->
                      wanted.put(
                          id,
                          set.toBuilder()
                              .removeFeatures(BONUS.name())
                              .removeStatuses(BONUS.name())
                              .build()));
          assertThat(
                  lookup
                      .get(bench.definitions().view(VIEW), Long.toString(snapshot), IDS, names)
                      .getResultsMap())
              .as("step %d", version.step())
              .isEqualTo(wanted);
        });
  }

  /**
   * Back to the names, types and values of an older version, under clients that ask for nothing
   * which that one lacks.
   */
  private void rollBack(LookupProcess server, VersionRecord older) throws InterruptedException {
    isOver = false;
    List<Client> clients = List.of(new AllFeatures(server), new SteadyFeature(server));
    List<Thread> threads = start(clients);
    for (Client client : clients) {
      awaitStep(client, expected.size() - 1);
      client.mayGoBack = true;
    }
    bench.output();
    assertThat(bench.run("rollback", "view=" + VIEW, "version=" + older.getVersion()))
        .as(bench::output)
        .isZero();

    Expected back = expected.get(older.getSnapshotId());
    for (Client client : clients) {
      awaitStep(client, back.step());
    }
    assertRefused(server, "cost");
    assertRefused(server, "points");
    GetOnlineFeaturesResponse answer =
        server.stub().getOnlineFeatures(request().addFeatureNames("total").build());
    assertThat(answer.getVersions(0).getVersion()).isEqualTo(older.getVersion());
    assertThat(answer.getVersions(0).getSnapshotId()).isEqualTo(older.getSnapshotId());
    assertAnswered(back, Map.of("total", "total"), answer);
    stop(threads);
  }

  /** Asks for the same again and again, and remembers which steps the answers were from. */
  private abstract class Client implements Runnable {

    final Set<Integer> seen = ConcurrentHashMap.newKeySet();
    final LookupProcess server;
    volatile int last = -1;
    volatile boolean mayGoBack;

    Client(LookupProcess server) {
      this.server = server;
    }

    @Override
    public void run() {
      try {
        while (!isOver) {
          load.acquire();
          ask();
        }
      } catch (Throwable e) {
        failure.compareAndSet(null, e);
      }
    }

    abstract void ask();

    /** Names under which each feature of a version is to be answered. */
    abstract Map<String, String> named(Expected version);

    final Expected check(GetOnlineFeaturesResponse answer) {
      assertThat(answer.getVersionsList()).hasSize(1);
      ViewVersion version = answer.getVersions(0);
      Expected of = expected.get(version.getSnapshotId());
      assertThat(of).as("a snapshot that was pushed: %s", version).isNotNull();
      assertAnswered(of, named(of), answer);
      if (!mayGoBack) {
        assertThat(of.step()).as("step of %s", version).isGreaterThanOrEqualTo(last);
      }
      last = of.step();
      seen.add(last);
      return of;
    }
  }

  /** Asks for all features, without naming any. */
  private class AllFeatures extends Client {

    AllFeatures(LookupProcess server) {
      super(server);
    }

    @Override
    void ask() {
      check(server.stub().getOnlineFeatures(request().build()));
    }

    @Override
    Map<String, String> named(Expected version) {
      return same(version.names());
    }
  }

  /** Asks for a feature that all versions have: no release may disturb it. */
  private final class SteadyFeature extends Client {

    SteadyFeature(LookupProcess server) {
      super(server);
    }

    @Override
    void ask() {
      check(
          server
              .stub()
              .getOnlineFeatures(request().addAllFeatureNames(named(null).keySet()).build()));
    }

    @Override
    Map<String, String> named(Expected version) {
      return Map.of(STEADY, STEADY, VIEW + "." + STEADY, STEADY);
    }
  }

  /**
   * Asks for some features of the version that gave the last answer. A release may come in between;
   * then a name that is gone is refused, and the client learns the names of the next version.
   */
  private final class FeaturesAtHand extends AllFeatures {

    private final Random random = new Random(1);
    private Optional<Expected> atHand = Optional.empty();
    private Map<String, String> asked = Map.of();

    FeaturesAtHand(LookupProcess server) {
      super(server);
    }

    @Override
    void ask() {
      if (atHand.isEmpty()) {
        asked = Map.of();
        atHand = Optional.of(check(server.stub().getOnlineFeatures(request().build())));
        return;
      }
      asked =
          atHand.get().names().stream()
              .filter(name -> random.nextInt(3) > 0)
              .collect(
                  Collectors.toMap(
                      name -> random.nextBoolean() ? name : VIEW + "." + name, name -> name));
      try {
        GetOnlineFeaturesRequest.Builder request = request().addAllFeatureNames(asked.keySet());
        atHand = Optional.of(check(server.stub().getOnlineFeatures(request.build())));
      } catch (StatusRuntimeException e) {
        assertThat(e.getStatus().getCode())
            .as(e.toString())
            .isEqualTo(Status.Code.INVALID_ARGUMENT);
        Expected before = atHand.get();
        Map<String, String> refused = new HashMap<>(asked);
        refused.keySet().removeIf(name -> !e.getMessage().contains("no feature '" + name + "' of"));
        assertThat(refused).as(e.toString()).hasSize(1);
        atHand = Optional.empty();
        ask();
        Expected now = atHand.orElseThrow();
        assertThat(now.step()).as(e.toString()).isGreaterThan(before.step());
        assertThat(now.names()).as(e.toString()).doesNotContainAnyElementsOf(refused.values());
      }
    }

    @Override
    Map<String, String> named(Expected version) {
      return asked.isEmpty() ? super.named(version) : asked;
    }
  }

  /** Asks for a feature service, which changes with its view in one release. */
  private final class ServiceFeatures extends Client {

    ServiceFeatures(LookupProcess server) {
      super(server);
    }

    @Override
    void ask() {
      check(server.stub().getOnlineFeatures(request().setFeatureService(SERVICE).build()));
    }

    @Override
    Map<String, String> named(Expected version) {
      return version.names().stream()
          .collect(Collectors.toMap(name -> VIEW + "." + name, name -> name));
    }
  }

  private List<Thread> start(List<Client> clients) {
    List<Thread> threads = new ArrayList<>();
    for (Client client : clients) {
      Thread thread = new Thread(client, client.getClass().getSimpleName());
      thread.setDaemon(true);
      thread.start();
      threads.add(thread);
    }
    return threads;
  }

  private void stop(List<Thread> threads) throws InterruptedException {
    isOver = true;
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(failure.get()).isNull();
  }

  /** Builds and pushes with other features, and waits until each client was answered from them. */
  private VersionRecord evolve(LookupProcess server, List<Client> clients, Column... columns) {
    Set<String> before = namesOf(expected.size() - 1);
    int step = expected.size();
    build(columns);
    Set<String> names = namesOf(step);
    for (String name : names) {
      if (!before.contains(name)) {
        // What is built is not released.
        assertRefused(server, name);
      }
    }
    load.setRate(REQUESTS_WHILE_PUSHING);
    VersionRecord pushed = push();
    for (Client client : clients) {
      awaitStep(client, step);
    }
    load.setRate(REQUESTS_WHILE_BUILDING);
    for (String name : before) {
      if (!names.contains(name)) {
        assertRefused(server, name);
        assertRefused(server, VIEW + "." + name);
      }
    }
    return pushed;
  }

  private void awaitStep(Client client, int step) {
    await()
        .until(
            () -> {
              if (failure.get() != null) {
                throw new AssertionError("a client failed", failure.get());
              }
              return client.last == step;
            });
  }

  private Set<String> namesOf(int step) {
    return expected.values().stream()
        .filter(version -> version.step() == step)
        .findFirst()
        .orElseThrow()
        .names();
  }

  private VersionRecord release(Column... columns) {
    build(columns);
    return push();
  }

  /** Builds, and reads from Iceberg what lookups have to answer once it is pushed. */
  private void build(Column... columns) {
    int step = expected.size();
    List<Column> all = new ArrayList<>(List.of(columns));
    // Its values tell each snapshot from all others.
    all.add(new Column(STEADY, "bigint", "", "user_id * 100 + " + step));
    define(all);
    // Only the first build makes the older as-of: later schemas must read its rows as they are.
    String[] asOfs = step == 0 ? new String[] {MONDAY, TUESDAY} : new String[] {TUESDAY};
    List<Build.AsOfOutcome> outcomes = bench.build(VIEW, asOfs);
    long snapshot = outcomes.get(outcomes.size() - 1).snapshotId();

    Set<String> names = all.stream().map(Column::name).collect(Collectors.toSet());
    Map<String, FeatureSet> sets = new HashMap<>();
    OnlineCopy.inIceberg(bench, VIEW, snapshot)
        .forEach(
            (id, entry) -> {
              assertThat(entry.values()).containsOnlyKeys(names);
              assertThat(entry.eventTimestamp())
                  .isEqualTo(Instant.parse(Integer.parseInt(id) % 6 == 0 ? MONDAY : TUESDAY));
              FeatureSet.Builder set = FeatureSet.newBuilder();
              entry.values().forEach((name, value) -> putValue(set, name, value));
              sets.put(
                  id,
                  set.putEventTimestamps(
                          VIEW, Timestamps.fromMillis(entry.eventTimestamp().toEpochMilli()))
                      .build());
            });
    assertThat(sets).containsOnlyKeys(IDS);
    expected.put(snapshot, new Expected(step, names, sets));
  }

  private static void putValue(FeatureSet.Builder set, String name, Value value) {
    boolean isNull = value.hasNullValue();
    // The one feature that has a default.
    boolean hasDefault = name.equals(BONUS.name());
    set.putFeatures(name, isNull && hasDefault ? Values.ofDouble(0.5) : value);
    if (isNull) {
      set.putStatuses(name, FeatureStatus.FEATURE_STATUS_NULL_VALUE);
    }
  }

  private VersionRecord push() {
    VersionRecord pushed = bench.push(VIEW).record();
    assertThat(expected).containsKey(pushed.getSnapshotId());
    return pushed;
  }

  /** A request for a feature that the released version does not have. */
  private void assertRefused(LookupProcess server, String name) {
    GetOnlineFeaturesRequest request =
        request().addFeatureNames(STEADY).addFeatureNames(name).build();
    assertThatThrownBy(() -> server.stub().getOnlineFeatures(request))
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessageStartingWith(
            "INVALID_ARGUMENT: feature_names[1]: no feature '%s' of entity 'user'".formatted(name));
  }

  /** The answer has these features of the version, by these names, and nothing else. */
  private static void assertAnswered(
      Expected version, Map<String, String> named, GetOnlineFeaturesResponse answer) {
    Map<String, FeatureSet> wanted = new HashMap<>();
    version
        .sets()
        .forEach(
            (id, set) -> {
              FeatureSet.Builder some = set.toBuilder().clearFeatures().clearStatuses();
              named.forEach(
                  (asked, name) -> {
                    some.putFeatures(asked, set.getFeaturesOrThrow(name));
                    if (set.containsStatuses(name)) {
                      some.putStatuses(asked, set.getStatusesOrThrow(name));
                    }
                  });
              wanted.put(id, some.build());
            });
    assertThat(answer.getResultsMap())
        .as("step %d, snapshot %d", version.step(), answer.getVersions(0).getSnapshotId())
        .isEqualTo(wanted);
  }

  private static Map<String, String> same(Set<String> names) {
    return names.stream().collect(Collectors.toMap(name -> name, name -> name));
  }

  private static GetOnlineFeaturesRequest.Builder request() {
    return GetOnlineFeaturesRequest.newBuilder()
        .setEntity("user")
        .addAllEntityIds(IDS)
        .setIncludeEventTimestamps(true);
  }

  private void writeUsers() {
    bench
        .spark()
        .sql(
            """
            SELECT id AS user_id, at
            FROM range(%d), VALUES (TIMESTAMP '2026-01-05'), (TIMESTAMP '2026-01-06') AS t(at)
            WHERE id %% 6 != 0 OR at = '2026-01-05'
            """
                .formatted(USERS))
        .write()
        .mode(SaveMode.Overwrite)
        .parquet(bench.path("users").toString());
  }

  private void define(List<Column> columns) {
    Set<String> names = new HashSet<>();
    StringBuilder select = new StringBuilder("user_id");
    StringBuilder features = new StringBuilder();
    for (Column column : columns) {
      assertThat(names.add(column.name())).isTrue();
      select.append(", CAST(%s AS %s) AS %s".formatted(column.sql(), column.type(), column.name()));
      features.append(
          "{ name = %s, type = \"%s\" %s }\n"
              .formatted(
                  column.name(),
                  column.type(),
                  column.more().isEmpty() ? "" : ", " + column.more()));
    }
    bench.define(
        "score.conf",
        """
        entities { user { keys = [{ name = user_id, type = bigint }] } }
        sources { users { format = parquet, path = "%s" } }
        feature-views {
          score {
            entity = user
            sources = [users]
            sql = "SELECT %s FROM users WHERE at = :as_of"
            features = [
              %s
            ]
          }
        }
        feature-services { ranking { features = [%s] } }
        """
            .formatted(
                bench.path("users"),
                select,
                features,
                names.stream().map(name -> VIEW + "." + name).collect(Collectors.joining(", "))));
  }
}
