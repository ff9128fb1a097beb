package dev.tarn.serving.world;

import static dev.tarn.serving.ServerFixture.logged;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.ServingTest;
import io.grpc.Status.Code;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks how a running server follows what is released. */
class TestReleases extends ServingTest {

  @Test
  void nothingReleasedIsUnavailableUntilTheFirstRelease() {
    serve();
    server.assertRefused(
        request("u1"),
        Code.UNAVAILABLE,
        "no feature view has been released yet: run ./tarn push view=… first");

    number("a", 1).write("v1");
    pushes.release("a", "v1");

    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(1));
  }

  @Test
  void theDefaultEntityWithoutReleasesIsUnavailable() {
    number("a", 1).write("v1");
    pushes.release("a", "v1");
    serve("default-entity = item");

    server.assertRefused(
        request("u1"),
        Code.UNAVAILABLE,
        "no feature view of 'item' (serving.default-entity) has been released yet: run ./tarn push"
            + " view=…");
  }

  @Test
  void theEntityThatWasReleasedFirstStaysThatOfRequestsThatNameNone() {
    push(1);
    pushes.entities("user");
    serve();
    assertThat(number()).isEqualTo(1);

    pushes.view("stock", "item").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("v1");
    pushes.entities("user", "item");
    pushes.release("stock", "v1");
    soon()
        .untilAsserted(
            () ->
                assertThat(number(server.ask(request("u1").setEntity("item")), "u1")).isEqualTo(7));

    assertThat(number()).isEqualTo(1);
    assertThat(
            server
                .legacy()
                .getOnlineFeatures(
                    dev.tarn.api.legacy.GetOnlineFeaturesRequest.newBuilder()
                        .addEntityIds("u1")
                        .build())
                .getResultsOrThrow("u1")
                .getFeaturesOrThrow("n")
                .getNumberValue())
        .isEqualTo(1);
  }

  @Test
  void theSettingSaysAnotherEntityThanTheFirst() {
    push(1);
    pushes.view("stock", "item").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("v1");
    pushes.entities("user", "item");
    pushes.release("stock", "v1");
    serve("default-entity = item");

    assertThat(number()).isEqualTo(7);
  }

  @Test
  void noOtherEntityStandsInForTheFirstIfThatCanNotBeServed() {
    pushes
        .view("a", "user")
        .feature("n", Kind.KIND_BIGINT)
        .with(record -> record.setRowFormat(99))
        .row("u1", 1L)
        .write("v1");
    pushes.view("stock", "item").feature("n", Kind.KIND_BIGINT).row("u1", 7L).write("v1");
    pushes.entities("user", "item");
    pushes.release(Map.of("a", "v1", "stock", "v1"));
    serve();

    server.assertRefused(
        request("u1"),
        Code.UNAVAILABLE,
        "no feature view of 'user', the entity of requests that name none, can be served now: name"
            + " another entity, or set serving.default-entity");
    assertThat(number(server.ask(request("u1").setEntity("item")), "u1")).isEqualTo(7);
  }

  @Test
  void aVersionThatIsWrittenButNotReleasedIsNotServed() {
    number("a", 1).write("v1");
    pushes.release("a", "v1");
    serve();
    number("a", 2).write("v2");
    number("b", 3).write("v1");
    pushes.release("b", "v1");
    soon().untilAsserted(() -> assertThat(numberOf("b")).isEqualTo(3));

    assertThat(numberOf("a")).isEqualTo(1);
  }

  @Test
  void aReleaseIsSeenWithoutARestart() {
    number("a", 1).write("v1");
    pushes.release("a", "v1");
    serve();
    number("a", 2).write("v2");

    pushes.release("a", "v2");

    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(2));
  }

  @Test
  void aReleaseWhoseAnnouncementIsLostIsSeenByThePoll() {
    number("a", 1).write("v1");
    pushes.release("a", "v1");
    serve();
    number("a", 2).write("v2");

    pushes.releaseSilently(Map.of("a", "v2"));

    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(2));
  }

  @Test
  void aRollbackIsSeenAndTheSameVersionReleasedAgainHasItsNewTime() {
    number("a", 1).write("v1");
    number("a", 2).write("v2");
    pushes.release("a", "v1");
    serve();
    pushes.release("a", "v2");
    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(2));

    long releasedAt = pushes.release("a", "v1").toEpochMilli();

    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(1));
    assertThat(releasedMillis()).isEqualTo(releasedAt);
    long again = pushes.release("a", "v1").toEpochMilli();
    soon().untilAsserted(() -> assertThat(releasedMillis()).isEqualTo(again));
  }

  @Test
  void featuresThatAreAddedDroppedAndRenamedNeedNoRestart() {
    pushes
        .view("a", "user")
        .feature("old", Kind.KIND_DOUBLE)
        .feature("stays", Kind.KIND_STRING)
        .row("u1", 1.0, "x")
        .write("v1");
    pushes.release("a", "v1");
    serve();
    pushes
        .view("a", "user")
        .feature("stays", Kind.KIND_STRING)
        .feature("new", Kind.KIND_BIGINT)
        .row("u1", "y", 7L)
        .write("v2");

    pushes.release("a", "v2");

    soon()
        .untilAsserted(
            () ->
                assertThat(values(server.ask("u1").getResultsOrThrow("u1")))
                    .containsOnly(entry("stays", "y"), entry("new", 7.0)));
  }

  @Test
  void aViewThatIsTakenOutOfTheReleaseIsNotServedAnyMore() {
    number("a", 1).write("v1");
    number("b", 2).write("v1");
    pushes.release(Map.of("a", "v1", "b", "v1"));
    serve();
    assertThat(numberOf("b")).isEqualTo(2);

    pushes.redis().hdel(settings.keys().release(), "b");

    soon()
        .untilAsserted(
            () ->
                assertThat(server.ask("u1").getVersionsList())
                    .extracting(ViewVersion::getFeatureView)
                    .containsExactly("a"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "missing",
        "not JSON",
        "{\"rowFormat\": 99, \"featureView\": \"VIEW\", \"version\": \"v2\"}",
        "{\"rowFormat\": 1, \"featureView\": \"VIEW\", \"version\": \"v2\"}",
        "{\"rowFormat\": 1, \"featureView\": \"other\", \"version\": \"v2\"}",
        "{\"rowFormat\": 1, \"featureView\": \"VIEW\", \"version\": \"v2\", \"entity\": \"user\","
            + " \"buckets\": 4, \"asOf\": \"2026-01-01T00:00:00Z\", \"features\": [{\"name\": \"f\","
            + " \"type\": {\"kind\": \"KIND_OF_A_LATER_TARN\"}}]}"
      })
  void aVersionThatCannotBeServedLeavesTheOneBeforeAndStopsNoOtherView(String manifest) {
    String view = unique("view");
    number(view, 1).write("v1");
    number("b", 1).write("v1");
    number("b", 2).write("v2");
    pushes.release(Map.of(view, "v1", "b", "v1"));
    serve();
    if (!manifest.equals("missing")) {
      pushes.redis().hset(settings.keys().manifests(view), "v2", manifest.replace("VIEW", view));
    }

    pushes.release(Map.of(view, "v2", "b", "v2"));

    soon().untilAsserted(() -> assertThat(numberOf("b")).isEqualTo(2));
    assertThat(numberOf(view)).isEqualTo(1);
    // After several reads it is still logged once, and a later good version is used.
    number("b", 3).write("v3");
    pushes.release("b", "v3");
    soon().untilAsserted(() -> assertThat(numberOf("b")).isEqualTo(3));
    assertThat(logged("'" + view + "'"))
        .singleElement()
        .asString()
        .contains("feature view '%s', released as 'v2@".formatted(view))
        .contains("can't be served: ")
        .endsWith("; answering from 'v1'");
    number(view, 4).write("v4");
    pushes.release(view, "v4");
    soon().untilAsserted(() -> assertThat(numberOf(view)).isEqualTo(4));
  }

  @Test
  void aManifestThatComesLateIsFound() {
    number("a", 1).write("v1");
    number("b", 1).write("v1");
    pushes.release(Map.of("a", "v1", "b", "v1"));
    serve();
    pushes.release("a", "v2");
    number("b", 2).write("v2");
    pushes.release("b", "v2");
    soon().untilAsserted(() -> assertThat(numberOf("b")).isEqualTo(2));
    assertThat(numberOf("a")).isEqualTo(1);

    number("a", 2).write("v2");

    soon().untilAsserted(() -> assertThat(numberOf("a")).isEqualTo(2));
  }

  @Test
  void anEntryOfTheReleaseThatMakesNoSenseStopsNoOther() {
    number("a", 1).write("v1");
    pushes.redis().hset(settings.keys().release(), "broken", "nonsense");
    pushes.release("a", "v1");
    serve();

    assertThat(numberOf("a")).isEqualTo(1);
  }

  /**
   * Gives every feature of version n the value n, in two views that are always released together.
   * An answer with two numbers in it would be a mix.
   */
  @Test
  void noAnswerMixesVersionsHoweverOftenTheyAreReleased() throws Exception {
    int flips = 200;
    String[] ids = {"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"};
    for (int version = 0; version <= flips; version++) {
      for (String view : List.of("a", "b")) {
        Pushes.View written =
            pushes
                .view(view, "user")
                .feature("x_" + view, Kind.KIND_BIGINT)
                .feature("y_" + view, Kind.KIND_BIGINT);
        for (String id : ids) {
          written.row(id, (long) version, (long) version);
        }
        written.snapshot(version).write("v" + version);
      }
    }
    pushes.release(Map.of("a", "v0", "b", "v0"));
    serve();

    AtomicBoolean isDone = new AtomicBoolean();
    ExecutorService clients = Executors.newFixedThreadPool(4);
    List<Future<List<Long>>> seen = new ArrayList<>();
    for (int client = 0; client < 4; client++) {
      seen.add(clients.submit(() -> askUntil(isDone, ids)));
    }
    for (int version = 1; version <= flips; version++) {
      String name = "v" + version;
      pushes.release(Map.of("a", name, "b", name));
      if (version % 10 == 0) {
        soon().until(() -> server.ask("u1").getVersions(0).getVersion().equals(name));
      }
    }
    isDone.set(true);

    for (Future<List<Long>> client : seen) {
      assertThat(client.get()).hasSizeGreaterThan(10).isSorted();
    }
    clients.shutdown();
  }

  /** Returns the version of each answer, and checks that all of the answer is of that version. */
  private List<Long> askUntil(AtomicBoolean isDone, String[] ids) {
    List<Long> versions = new ArrayList<>();
    while (!isDone.get()) {
      GetOnlineFeaturesResponse answer = server.ask(ids);
      long version = answer.getVersions(0).getSnapshotId();
      assertThat(answer.getVersionsList())
          .hasSize(2)
          .allMatch(view -> view.getSnapshotId() == version)
          .allMatch(view -> view.getVersion().equals("v" + version));
      for (String id : ids) {
        FeatureSet set = answer.getResultsOrThrow(id);
        assertThat(set.getFeaturesMap())
            .hasSize(4)
            .allSatisfy(
                (name, value) -> assertThat(value.getNumberValue()).isEqualTo((double) version));
      }
      versions.add(version);
    }
    return versions;
  }

  /** Returns a view whose only feature, {@code n_VIEW}, is a number. */
  private Pushes.View number(String view, long value) {
    return pushes.view(view, "user").feature("n_" + view, Kind.KIND_BIGINT).row("u1", value);
  }

  private double numberOf(String view) {
    return server.ask("u1", List.of("n_" + view)).getFeaturesOrThrow("n_" + view).getNumberValue();
  }

  private long releasedMillis() {
    return Timestamps.toMillis(server.ask("u1").getVersions(0).getReleasedAt());
  }
}
