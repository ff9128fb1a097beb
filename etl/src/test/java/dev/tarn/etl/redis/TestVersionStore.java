package dev.tarn.etl.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.etl.push.OnlineCopy;
import dev.tarn.etl.redis.VersionStore.ReleaseRefusal;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.manifest.Base;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.redis.RedisKeys;
import dev.tarn.redis.RedisSettings;
import dev.tarn.redis.Release;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;

class TestVersionStore {

  private static final String VIEW = "score";
  private static final Duration LEASE = Duration.ofSeconds(30);

  private final Workbench bench = new Workbench();
  private final VersionStore store = bench.versions();

  @Test
  void aVersionThatIsBeingWrittenIsSeenByNobody() {
    String version = store.mint(VIEW, 3, LEASE);
    assertThat(store.records(VIEW)).isEmpty();
    assertThat(store.releases()).isEmpty();
    assertThat(store.claimAbandoned(VIEW)).isEmpty();
    assertThat(store.renew(VIEW, version, 3, LEASE)).isTrue();
  }

  @Test
  void aVersionThatWasGivenUpCanNeitherBeRenewedNorReleased() {
    VersionRecord record = mint(1);
    String version = record.getVersion();
    OnlineCopy.expireLeases(bench, VIEW);
    assertThat(store.claimAbandoned(VIEW))
        .containsExactly(new VersionStore.Abandoned(version, 3, false));
    // Its rows are being removed, and its push wakes up.
    assertThat(store.renew(VIEW, version, 3, LEASE)).isFalse();
    assertThat(release(record, Optional.empty(), 1_000)).contains(ReleaseRefusal.GONE);
    // Whoever gave it up may have died, too.
    assertThat(store.claimAbandoned(VIEW))
        .extracting(VersionStore.Abandoned::version)
        .containsExactly(version);
    store.remove(VIEW, version, 3);
    store.removeEntry(VIEW, version);
    assertThat(store.claimAbandoned(VIEW)).isEmpty();
    assertThat(store.renew(VIEW, version, 3, LEASE)).isFalse();
    assertThat(release(record, Optional.empty(), 1_000)).contains(ReleaseRefusal.GONE);
    assertThat(store.records(VIEW)).isEmpty();
    assertThat(store.releases()).isEmpty();
    assertThat(store.events()).isEmpty();
  }

  @Test
  void aVersionWhoseLeaseRanOutGoesOnIfNobodyGaveItUp() {
    VersionRecord record = mint(1);
    OnlineCopy.expireLeases(bench, VIEW);
    assertThat(store.renew(VIEW, record.getVersion(), 3, LEASE)).isTrue();
    assertThat(store.claimAbandoned(VIEW)).isEmpty();
    assertThat(release(record, Optional.empty(), 1_000)).isEmpty();
    assertThat(store.records(VIEW)).containsExactly(record);
  }

  /** A script that is refused something has not changed anything. */
  @Test
  void aReleaseThatIsRefusedHasChangedNothing() {
    VersionRecord first = mint(1);
    release(first, Optional.empty(), 1_000);
    VersionRecord second = mint(2);
    try (Jedis admin = OnlineCopy.jedis(bench)) {
      for (String lost :
          List.of("-hset", "-hdel", "-rpush", "-publish", "-hexists", "-hget", "resetchannels")) {
        admin.sendCommand(
            Protocol.Command.ACL,
            ("SETUSER limited on >secret ~* resetchannels &* +@all " + lost).split(" ", -1));
        bench.set("redis.user", "limited").set("redis.password", "secret");
        VersionStore limited = bench.versions();
        Map<String, byte[]> before = controlKeys(admin);

        assertThatThrownBy(
                () ->
                    limited.release(
                        List.of(candidate(second, store.released(VIEW))),
                        Instant.ofEpochMilli(2_000),
                        true,
                        List.of(service("ranking"))))
            .as(lost)
            .isInstanceOf(TarnException.class)
            .hasMessageContaining(
                "does not permit what this command needs to redis.user = 'limited'");

        assertThat(controlKeys(admin)).as(lost).containsExactlyInAnyOrderEntriesOf(before);
        bench.set("redis.user", "").set("redis.password", "");
      }
      // A key that somebody has used for something else.
      String events = bench.settings().read(RedisSettings::of).keys().events();
      admin.del(events);
      admin.set(events, "mine");
      Map<String, byte[]> before = controlKeys(admin);
      assertThatThrownBy(() -> release(second, store.released(VIEW), 2_000))
          .isInstanceOf(TarnException.class)
          .hasMessageContaining("WRONGTYPE");
      assertThat(controlKeys(admin)).containsExactlyInAnyOrderEntriesOf(before);
    }
  }

  private Map<String, byte[]> controlKeys(Jedis redis) {
    String pattern =
        bench.settings().read(RedisSettings::of).keys().release().replace("release", "*");
    Map<String, byte[]> dumps = new TreeMap<>();
    redis.keys(pattern).forEach(key -> dumps.put(key, redis.dump(key)));
    return dumps;
  }

  /** All in one moment, and Redis would answer nobody while it removes them. */
  @Test
  void rowsThatAreNoLongerReadExpireLittleByLittle() {
    int buckets = 4_000;
    String version = store.mint(VIEW, buckets, LEASE);
    String prefix = bench.settings().read(RedisSettings::of).keys().bucketPrefix(VIEW, version);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      byte[] first = RedisKeys.bucket(prefix, 0);
      byte[] last = RedisKeys.bucket(prefix, buckets - 1);
      jedis.hset(first, Map.of("a".getBytes(UTF_8), new byte[] {1}));
      jedis.hset(last, Map.of("a".getBytes(UTF_8), new byte[] {1}));

      store.removeLater(VIEW, version, buckets, Duration.ofMinutes(1));

      long ofLast = jedis.pttl(last);
      assertThat(ofLast - jedis.pttl(first)).isGreaterThan(900);
      assertThat(ofLast).isLessThan(63_000);
    }
  }

  @Test
  void aReleaseTakesPlaceOnlyIfTheReleaseIsStillTheOneSeen() {
    VersionRecord one = mint(1);
    VersionRecord two = mint(2);
    Release ofOne = new Release(one.getVersion(), Instant.ofEpochMilli(1_000));
    Release ofTwo = new Release(two.getVersion(), Instant.ofEpochMilli(2_000));
    assertThat(release(one, Optional.of(ofTwo), 1_000)).contains(ReleaseRefusal.MOVED);
    assertThat(release(one, Optional.empty(), 1_000, service("a"))).isEmpty();
    assertThat(release(two, Optional.empty(), 2_000, service("b"))).contains(ReleaseRefusal.MOVED);
    assertThat(store.releases()).isEqualTo(Map.of(VIEW, ofOne));
    // The same version, released again in between, is another release.
    Release again = new Release(one.getVersion(), Instant.ofEpochMilli(1_001));
    assertThat(release(one, Optional.of(ofOne), 1_001)).isEmpty();
    assertThat(release(two, Optional.of(ofOne), 2_000)).contains(ReleaseRefusal.MOVED);
    assertThat(release(two, Optional.of(again), 2_000)).isEmpty();
    assertThat(store.released(VIEW)).contains(ofTwo);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(jedis.hkeys(bench.redis().settings().keys().services())).containsExactly("a");
    }
  }

  @Test
  void aReleaseWhoseAnswerWasLostIsARelease() {
    VersionRecord record = mint(1);
    assertThat(release(record, Optional.empty(), 1_000)).isEmpty();
    assertThat(release(record, Optional.empty(), 1_000)).isEmpty();
    assertThat(store.events()).hasSize(1);
  }

  @Test
  void severalViewsAreReleasedTogetherOrNotAtAll() {
    VersionRecord one = mint(1);
    VersionRecord other =
        mint(1).toBuilder()
            .setFeatureView("other")
            .setVersion(store.mint("other", 3, LEASE))
            .build();
    Release elsewhere = new Release("v0", Instant.ofEpochMilli(1));
    Instant at = Instant.ofEpochMilli(1_000);
    assertThat(
            store.release(
                List.of(candidate(one, Optional.empty()), candidate(other, Optional.of(elsewhere))),
                at,
                false,
                List.of()))
        .contains(ReleaseRefusal.MOVED);
    assertThat(store.releases()).isEmpty();
    assertThat(store.records(VIEW)).isEmpty();
    assertThat(
            store.release(
                List.of(candidate(one, Optional.empty()), candidate(other, Optional.empty())),
                at,
                false,
                List.of()))
        .isEmpty();
    assertThat(store.releases())
        .isEqualTo(
            Map.of(
                VIEW,
                new Release(one.getVersion(), at),
                "other",
                new Release(other.getVersion(), at)));
    assertThat(store.events()).hasSize(2);
  }

  @Test
  void aPinnedViewIsReleasedByARollbackOnlyUntilItIsUnpinned() {
    VersionRecord one = mint(1);
    VersionRecord two = mint(2);
    release(one, Optional.empty(), 1_000);
    Release ofOne = store.released(VIEW).orElseThrow();
    store.release(
        List.of(candidate(one, Optional.of(ofOne))), Instant.ofEpochMilli(2_000), true, List.of());
    Release pinned = store.released(VIEW).orElseThrow();
    assertThat(store.pins()).isEqualTo(Map.of(VIEW, pinned));
    assertThat(release(two, Optional.of(pinned), 3_000)).contains(ReleaseRefusal.PINNED);
    assertThat(store.unpin(VIEW)).isTrue();
    assertThat(store.unpin(VIEW)).isFalse();
    assertThat(release(two, Optional.of(pinned), 3_000)).isEmpty();
  }

  @Test
  void aVersionThatIsGoneCanNotBeReleased() {
    VersionRecord record = kept(1);
    assertThat(store.prune(record)).isTrue();
    assertThat(release(record, store.released(VIEW), 3_000)).contains(ReleaseRefusal.GONE);
    // A pruned version is left to whoever comes next, at once.
    assertThat(store.claimAbandoned(VIEW))
        .containsExactly(new VersionStore.Abandoned(record.getVersion(), 3, true));
    assertThat(store.prune(record)).isFalse();
  }

  @Test
  void nothingIsReleasedThatWasReadBackFromARedisThatHasBeenRestartedSince() {
    VersionRecord record = mint(1);
    List<VersionStore.Candidate> candidates = List.of(candidate(record, Optional.empty()));
    Instant at = Instant.ofEpochMilli(1_000);
    assertThat(store.release(candidates, at, false, List.of(), Set.of("another run")))
        .contains(ReleaseRefusal.RESTARTED);
    assertThat(store.releases()).isEmpty();
    assertThat(store.release(candidates, at, false, List.of(), bench.redis().runs())).isEmpty();
    assertThat(store.records(VIEW)).containsExactly(record);
  }

  @Test
  void anOverlayWhoseBaseIsGoneCanNotBeReleasedAndABaseInUseCanNotBePruned() {
    VersionRecord base = kept(1);
    VersionRecord overlay = overlay(mint(2), base);
    assertThat(release(overlay, store.released(VIEW), 3_000)).isEmpty();
    assertThat(store.prune(base)).isFalse();
    VersionRecord next = mint(3);
    assertThat(release(next, store.released(VIEW), 4_000)).isEmpty();
    assertThat(store.prune(base)).isFalse();
    assertThat(store.prune(overlay)).isTrue();
    assertThat(store.prune(base)).isTrue();
    VersionRecord late = overlay(mint(4), base);
    assertThat(release(late, store.released(VIEW), 5_000)).contains(ReleaseRefusal.GONE);
  }

  @Test
  void theReleasedVersionCanNotBePrunedAndOneWhoseNameItBeginsWithCan() {
    VersionRecord shorter = kept(1);
    VersionRecord longer = record(shorter.getVersion() + "0", 1);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.hset(
          bench.redis().settings().keys().writing(VIEW), longer.getVersion(), "3@9999999999999");
    }
    assertThat(release(longer, store.released(VIEW), 3_000)).isEmpty();
    assertThat(store.prune(longer)).isFalse();
    assertThat(store.prune(shorter)).isTrue();
    assertThat(store.records(VIEW)).contains(longer).doesNotContain(shorter);
  }

  @Test
  void servicesAreStoredOnlyWhereTheyChange() {
    assertThat(store.storeServices(VIEW, List.of(service("a"), service("b"))))
        .containsExactly("a", "b");
    assertThat(store.storeServices(VIEW, List.of(service("a"), service("b")))).isEmpty();
    StoredService changed = service("b").toBuilder().setDescription("changed").build();
    assertThat(store.storeServices(VIEW, List.of(service("a"), changed))).containsExactly("b");
  }

  private Optional<ReleaseRefusal> release(
      VersionRecord record, Optional<Release> seen, long millis, StoredService... services) {
    return store.release(
        List.of(candidate(record, seen)), Instant.ofEpochMilli(millis), false, List.of(services));
  }

  private static VersionStore.Candidate candidate(VersionRecord record, Optional<Release> seen) {
    return new VersionStore.Candidate(
        record, seen, ReleaseHistory.event(record, Instant.EPOCH, "push").build());
  }

  private VersionRecord mint(long sequenceNumber) {
    return record(store.mint(VIEW, 3, LEASE), sequenceNumber);
  }

  /** A version that was released, and then another one was. */
  private VersionRecord kept(long sequenceNumber) {
    VersionRecord record = mint(sequenceNumber);
    release(record, store.released(VIEW), 1_000);
    release(mint(sequenceNumber), store.released(VIEW), 2_000);
    return record;
  }

  private static VersionRecord overlay(VersionRecord own, VersionRecord base) {
    return own.toBuilder()
        .setBase(Base.newBuilder().setVersion(base.getVersion()).setBuckets(base.getBuckets()))
        .build();
  }

  private static VersionRecord record(String version, long sequenceNumber) {
    return VersionRecord.newBuilder()
        .setFeatureView(VIEW)
        .setVersion(version)
        .setSequenceNumber(sequenceNumber)
        .setBuckets(3)
        .setCreatedAt(Timestamps.fromMillis(sequenceNumber))
        .build();
  }

  private static StoredService service(String name) {
    return StoredService.newBuilder().setName(name).setEntity("user").build();
  }
}
