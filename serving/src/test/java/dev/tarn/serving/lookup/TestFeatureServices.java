package dev.tarn.serving.lookup;

import static dev.tarn.serving.ServerFixture.logged;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.soon;
import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Status.Code;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TestFeatureServices extends ServingTest {

  @BeforeEach
  void start() {
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("country", Kind.KIND_STRING)
        .row("u1", 12.5, "DE")
        .write("v1");
    pushes.view("profile", "user").feature("age", Kind.KIND_BIGINT).row("u1", 40L).write("v1");
    pushes.view("stock", "item").feature("left", Kind.KIND_BIGINT).row("i1", 3L).write("v1");
    pushes.service("fraud", "user", "profile.age", "activity.amount");
    pushes.service("early", "user", "activity.amount", "device.os");
    pushes.service("mixed", "user", "activity.amount", "stock.left");
    pushes.release(Map.of("activity", "v1", "profile", "v1", "stock", "v1"));
    serve();
  }

  @Test
  void aServiceIsAnsweredByTheNamesOfItsDefinitionWithoutNamingTheEntity() {
    GetOnlineFeaturesResponse answer = server.ask(request("u1").setFeatureService("fraud"));

    assertThat(values(answer.getResultsOrThrow("u1")))
        .containsOnly(entry("profile.age", 40.0), entry("activity.amount", 12.5));
    assertThat(answer.getVersionsList())
        .extracting(ViewVersion::getFeatureView)
        .containsExactly("activity", "profile");
  }

  @Test
  void theEntityMayBeNamedToo() {
    assertThat(
            server
                .ask(request("u1").setFeatureService("fraud").setEntity("user"))
                .getResultsOrThrow("u1")
                .getFeaturesMap())
        .hasSize(2);
  }

  @Test
  void aRowOlderThanItsViewsMaxAgeIsOutsideItInAServiceToo() {
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("country", Kind.KIND_STRING)
        .maxAge(Duration.ofHours(1))
        .rowAt(pushes.asOf().minus(Duration.ofHours(2)), "u1", 12.5, "DE")
        .write("v2");
    pushes.release("activity", "v2");

    soon()
        .untilAsserted(
            () -> {
              FeatureSet set =
                  server.ask(request("u1").setFeatureService("fraud")).getResultsOrThrow("u1");
              assertThat(values(set)).containsOnly(entry("profile.age", 40.0));
              assertThat(ServerFixture.statuses(set))
                  .containsOnly(entry("activity.amount", "OUTSIDE_MAX_AGE"));
            });
  }

  @Test
  void aServiceWithAFeatureThatIsNotReleasedIsRefusedByThatName() {
    server.assertRefused(
        request("u1").setFeatureService("early"),
        Code.FAILED_PRECONDITION,
        "feature service 'early' has the feature 'device.os', which is in no released view of"
            + " entity 'user': push its view, or take it out of the service");
  }

  @Test
  void aServiceWithAFeatureOfAnotherEntityIsRefusedByThatName() {
    server.assertRefused(
        request("u1").setFeatureService("mixed"),
        Code.FAILED_PRECONDITION,
        "feature service 'mixed' has the feature 'stock.left', which is in no released view of"
            + " entity 'user': push its view, or take it out of the service");
  }

  @Test
  void aServiceThatIsDefinedOrChangedWhileRunningIsSeen() {
    pushes.service("fraud", "user", "activity.country");
    pushes.service("new", "user", "profile.age");

    soon()
        .untilAsserted(
            () -> {
              assertThat(ofService("fraud")).containsOnly(entry("activity.country", "DE"));
              assertThat(ofService("new")).containsOnly(entry("profile.age", 40.0));
            });
  }

  @Test
  void aServiceThatChangesWithItsViewIsAnsweredThroughAllReleases() {
    pushes.view("level", "user").feature("old", Kind.KIND_BIGINT).row("u1", 1L).write("v1");
    pushes.view("level", "user").feature("new", Kind.KIND_BIGINT).row("u1", 2L).write("v2");
    pushes.releaseWithService("level", "v1", "level", "user", "level.old");
    soon().untilAsserted(() -> assertThat(ofService("level")).hasSize(1));
    for (int i = 0; i < 1_000; i++) {
      // Most of the time, the server still reads the release before.
      String feature = i % 2 == 0 ? "level.new" : "level.old";
      pushes.releaseWithService("level", i % 2 == 0 ? "v2" : "v1", "level", "user", feature);

      assertThat(ofService("level")).isIn(Map.of("level.old", 1.0), Map.of("level.new", 2.0));
    }
  }

  @Test
  void aServiceThatCannotBeReadStaysAsItWas() {
    pushes.redis().hset(settings.keys().services(), "fraud", "{nonsense");
    pushes.service("new", "user", "profile.age");
    soon().untilAsserted(() -> assertThat(ofService("new")).hasSize(1));

    assertThat(ofService("fraud")).hasSize(2);
    assertThat(logged("feature service 'fraud' can't be read")).hasSize(1);
  }

  private Map<String, Object> ofService(String service) {
    return values(server.ask(request("u1").setFeatureService(service)).getResultsOrThrow("u1"));
  }
}
