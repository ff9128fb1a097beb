package dev.tarn.etl.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.Workbench;
import dev.tarn.manifest.Manifest;
import dev.tarn.manifest.StoredService;
import dev.tarn.redis.Release;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.Jedis;

class TestVersionStore {

  private static final String VIEW = "score";

  private final Workbench bench = new Workbench();
  private final VersionStore store = bench.versions();

  @Test
  void aVersionThatIsBeingWrittenIsSeenByNobody() {
    String version = store.mint(VIEW, 3);
    assertThat(store.manifests(VIEW)).isEmpty();
    assertThat(store.releases()).isEmpty();
    assertThat(store.giveUpAbandoned(VIEW)).isEmpty();
    assertThat(store.renew(VIEW, version, 3)).isTrue();
    assertThat(store.complete(manifest(version, 1))).isTrue();
    assertThat(store.manifests(VIEW)).containsExactly(manifest(version, 1));
    assertThat(store.releases()).isEmpty();
  }

  @Test
  void aVersionThatWasGivenUpCanNeitherBeRenewedNorCompleted() {
    String version = store.mint(VIEW, 3);
    OnlineCopy.expireLeases(bench, VIEW);
    assertThat(store.giveUpAbandoned(VIEW)).isEqualTo(Map.of(version, 3));
    // Its rows are being removed, and its push wakes up.
    assertThat(store.renew(VIEW, version, 3)).isFalse();
    assertThat(store.complete(manifest(version, 1))).isFalse();
    // Whoever gave it up may have died, too.
    assertThat(store.giveUpAbandoned(VIEW)).isEqualTo(Map.of(version, 3));
    store.remove(VIEW, version, 3);
    assertThat(store.giveUpAbandoned(VIEW)).isEmpty();
    assertThat(store.renew(VIEW, version, 3)).isFalse();
    assertThat(store.complete(manifest(version, 1))).isFalse();
    assertThat(store.manifests(VIEW)).isEmpty();
  }

  @Test
  void aVersionWhoseLeaseRanOutGoesOnIfNobodyGaveItUp() {
    String version = store.mint(VIEW, 3);
    OnlineCopy.expireLeases(bench, VIEW);
    assertThat(store.renew(VIEW, version, 3)).isTrue();
    assertThat(store.giveUpAbandoned(VIEW)).isEmpty();
    assertThat(store.complete(manifest(version, 1))).isTrue();
  }

  @Test
  void aReleaseTakesPlaceOnlyIfTheReleaseIsStillTheOneSeen() {
    Manifest one = complete(1);
    Manifest two = complete(2);
    Release ofOne = new Release(one.getVersion(), Instant.ofEpochMilli(1_000));
    Release ofTwo = new Release(two.getVersion(), Instant.ofEpochMilli(2_000));
    assertThat(store.release(one, Optional.of(ofTwo), ofOne, List.of())).isFalse();
    assertThat(store.release(one, Optional.empty(), ofOne, List.of(service("a")))).isTrue();
    assertThat(store.release(two, Optional.empty(), ofTwo, List.of(service("b")))).isFalse();
    assertThat(store.releases()).isEqualTo(Map.of(VIEW, ofOne));
    // The same version, released again in between, is another release.
    Release again = new Release(one.getVersion(), Instant.ofEpochMilli(1_001));
    assertThat(store.release(one, Optional.of(ofOne), again, List.of())).isTrue();
    assertThat(store.release(two, Optional.of(ofOne), ofTwo, List.of())).isFalse();
    assertThat(store.release(two, Optional.of(again), ofTwo, List.of())).isTrue();
    assertThat(store.released(VIEW)).contains(ofTwo);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      assertThat(jedis.hkeys(bench.redis().settings().keys().services())).containsExactly("a");
    }
  }

  @Test
  void aVersionThatIsGoneCanNotBeReleased() {
    Manifest manifest = complete(1);
    assertThat(store.retire(manifest)).isTrue();
    Release next = new Release(manifest.getVersion(), Instant.ofEpochMilli(1_000));
    assertThatThrownBy(() -> store.release(manifest, Optional.empty(), next, List.of()))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "version %s of score is no longer in Redis, so it can't be released"
                .formatted(manifest.getVersion()));
    assertThat(store.releases()).isEmpty();
    // A retired version is left to whoever comes next, at once.
    assertThat(store.giveUpAbandoned(VIEW)).isEqualTo(Map.of(manifest.getVersion(), 3));
    assertThat(store.retire(manifest)).isFalse();
  }

  @Test
  void theReleasedVersionCanNotBeRetiredAndOneWhoseNameItBeginsWithCan() {
    Manifest released = complete(1);
    Manifest other = manifest(released.getVersion() + "0", 1);
    try (Jedis jedis = OnlineCopy.jedis(bench)) {
      jedis.hset(
          bench.redis().settings().keys().writing(VIEW), other.getVersion(), "3@9999999999999");
    }
    assertThat(store.complete(other)).isTrue();
    Release next = new Release(other.getVersion(), Instant.ofEpochMilli(1_000));
    assertThat(store.release(other, Optional.empty(), next, List.of())).isTrue();
    assertThat(store.retire(other)).isFalse();
    assertThat(store.retire(released)).isTrue();
    assertThat(store.manifests(VIEW)).containsExactly(other);
  }

  @Test
  void servicesAreStoredOnlyWhereTheyChange() {
    assertThat(store.storeServices(VIEW, List.of(service("a"), service("b"))))
        .containsExactly("a", "b");
    assertThat(store.storeServices(VIEW, List.of(service("a"), service("b")))).isEmpty();
    StoredService changed = service("b").toBuilder().setDescription("changed").build();
    assertThat(store.storeServices(VIEW, List.of(service("a"), changed))).containsExactly("b");
  }

  private Manifest complete(long sequenceNumber) {
    Manifest manifest = manifest(store.mint(VIEW, 3), sequenceNumber);
    assertThat(store.complete(manifest)).isTrue();
    return manifest;
  }

  private static Manifest manifest(String version, long sequenceNumber) {
    return Manifest.newBuilder()
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
