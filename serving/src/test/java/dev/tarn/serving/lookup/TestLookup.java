package dev.tarn.serving.lookup;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.logged;
import static dev.tarn.serving.ServerFixture.request;
import static dev.tarn.serving.ServerFixture.statuses;
import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.redis.RedisKeys;
import dev.tarn.row.Values;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.ServingTest;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks answers: values, statuses, defaults, names and versions. */
class TestLookup extends ServingTest {

  @Test
  void aValueThatIsThereHasNoStatus() {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    FeatureSet set = server.ask("u1").getResultsOrThrow("u1");

    assertThat(values(set)).containsOnly(entry("amount", 12.5), entry("country", "DE"));
    assertThat(statuses(set)).isEmpty();
    assertThat(set.getEventTimestampsMap()).isEmpty();
  }

  @Test
  void aNullIsTheDefaultOrElseANullValue() {
    activity().row("u1", null, null).write("v1");
    start("activity");

    FeatureSet set = server.ask("u1").getResultsOrThrow("u1");

    assertThat(values(set)).containsOnly(entry("amount", null), entry("country", "??"));
    assertThat(statuses(set))
        .containsOnly(entry("amount", "NULL_VALUE"), entry("country", "NULL_VALUE"));
  }

  @Test
  void anEntityThatOneOfTheViewsLacksHasTheDefaultsOfThatView() {
    activity().write("v1");
    pushes.view("profile", "user").feature("age", Kind.KIND_BIGINT).row("u1", 40L).write("v1");
    start("activity", "profile");

    FeatureSet set = server.ask("u1").getResultsOrThrow("u1");

    assertThat(values(set)).containsOnly(entry("age", 40.0), entry("country", "??"));
    assertThat(statuses(set))
        .containsOnly(entry("amount", "NOT_FOUND"), entry("country", "NOT_FOUND"));
  }

  @Test
  void anEntityThatNoViewKnowsHasNoFeaturesAndFailsNoOther() {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    GetOnlineFeaturesResponse answer = server.ask("nobody", "u1");

    assertThat(answer.getResultsMap()).containsOnlyKeys("nobody", "u1");
    FeatureSet nobody = answer.getResultsOrThrow("nobody");
    assertThat(nobody.getFeaturesMap()).isEmpty();
    assertThat(statuses(nobody))
        .containsOnly(entry("amount", "NOT_FOUND"), entry("country", "NOT_FOUND"));
    assertThat(values(answer.getResultsOrThrow("u1"))).containsEntry("amount", 12.5);
  }

  @Test
  void aRowOlderThanTheMaxAgeIsNotServed() {
    activity()
        .maxAge(Duration.ofHours(1))
        .rowAt(pushes.asOf().minus(Duration.ofHours(2)), "old", 1.0, "DE")
        .rowAt(pushes.asOf().minus(Duration.ofMinutes(30)), "young", 2.0, "FR")
        .write("v1");
    start("activity");

    GetOnlineFeaturesResponse answer = server.ask("old", "young");

    FeatureSet old = answer.getResultsOrThrow("old");
    assertThat(values(old)).containsOnly(entry("country", "??"));
    assertThat(statuses(old))
        .containsOnly(entry("amount", "OUTSIDE_MAX_AGE"), entry("country", "OUTSIDE_MAX_AGE"));
    FeatureSet young = answer.getResultsOrThrow("young");
    assertThat(values(young)).containsOnly(entry("amount", 2.0), entry("country", "FR"));
    assertThat(statuses(young)).isEmpty();
  }

  @Test
  void withoutMaxAgeRowsOfAnyAgeAreServed() {
    activity().rowAt(Instant.EPOCH, "u1", 1.0, "DE").write("v1");
    start("activity");

    assertThat(statuses(server.ask("u1").getResultsOrThrow("u1"))).isEmpty();
  }

  @Test
  void eventTimestampsAreThoseOfTheRowsAndOnlyGivenIfAskedFor() {
    Instant event = pushes.asOf().minusNanos(1_234_567_000);
    activity().rowAt(event, "u1", 1.0, "DE").write("v1");
    pushes.view("profile", "user").feature("age", Kind.KIND_BIGINT).write("v1");
    start("activity", "profile");

    FeatureSet set =
        server.ask(request("u1").setIncludeEventTimestamps(true)).getResultsOrThrow("u1");

    assertThat(set.getEventTimestampsMap())
        .containsOnly(entry("activity", Timestamps.fromMicros(Values.micros(event))));
  }

  @Test
  void typesAreGivenByTheNamesThatWereAskedAndOnlyIfAskedFor() {
    activity().row("u1", 12.5, "DE").write("v1");
    pushes.view("profile", "user").feature("age", Kind.KIND_BIGINT).write("v1");
    start("activity", "profile");

    GetOnlineFeaturesResponse answer =
        server.ask(
            request("u1", "nobody")
                .addAllFeatureNames(List.of("age", "activity.country", "amount"))
                .setIncludeFeatureTypes(true));
    assertThat(answer.getFeatureTypesMap())
        .containsOnly(
            entry("age", "bigint"), entry("activity.country", "string"), entry("amount", "double"));
    assertThat(server.ask("u1").getFeatureTypesMap()).isEmpty();
  }

  @Test
  void featuresAreAnsweredUnderTheNamesThatTheyWereAskedBy() {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    assertThat(values(server.ask("u1", List.of("amount", "activity.country", "activity.amount"))))
        .containsOnly(
            entry("amount", 12.5), entry("activity.country", "DE"), entry("activity.amount", 12.5));
  }

  @Test
  void aNameThatIsAskedForTwiceIsAnsweredOnce() {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    assertThat(values(server.ask("u1", List.of("amount", "amount"))))
        .containsOnly(entry("amount", 12.5));
  }

  @Test
  void aNameThatTwoViewsHaveIsQualifiedWhenAllAreAskedFor() {
    activity().row("u1", 12.5, "DE").write("v1");
    pushes
        .view("profile", "user")
        .feature("country", Kind.KIND_STRING)
        .feature("age", Kind.KIND_BIGINT)
        .row("u1", "FR", 40L)
        .write("v1");
    start("activity", "profile");

    assertThat(values(server.ask("u1").getResultsOrThrow("u1")))
        .containsOnly(
            entry("amount", 12.5),
            entry("age", 40.0),
            entry("activity.country", "DE"),
            entry("profile.country", "FR"));
  }

  @Test
  void anIdThatIsGivenTwiceIsAnsweredOnce() {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    assertThat(server.ask("u1", "u1", "u1").getResultsMap()).containsOnlyKeys("u1");
  }

  @Test
  void versionsAreThoseOfTheViewsInvolvedWithWhatAnOperatorNeeds() {
    activity().snapshot(8_734_650_112_377_221_634L).row("u1", 12.5, "DE").write("v1");
    pushes.view("profile", "user").feature("age", Kind.KIND_BIGINT).row("u1", 40L).write("v7");
    Instant releasedAt = pushes.release(Map.of("activity", "v1", "profile", "v7"));
    serve();

    assertThat(server.ask(request("u1").addFeatureNames("amount")).getVersionsList())
        .containsExactly(
            ViewVersion.newBuilder()
                .setFeatureView("activity")
                .setVersion("v1")
                .setSnapshotId(8_734_650_112_377_221_634L)
                .setAsOf(Timestamps.fromMicros(Values.micros(pushes.asOf())))
                .setReleasedAt(Timestamps.fromMillis(releasedAt.toEpochMilli()))
                .build());
    assertThat(server.ask("u1").getVersionsList())
        .extracting(ViewVersion::getFeatureView)
        .containsExactly("activity", "profile");
  }

  @Test
  void theEntityOfARequestChoosesTheViews() {
    activity().row("1", 12.5, "DE").write("v1");
    pushes.view("stock", "item").feature("left", Kind.KIND_BIGINT).row("1", 3L).write("v1");
    start("activity", "stock");

    GetOnlineFeaturesResponse answer = server.ask(request("1").setEntity("item"));

    assertThat(values(answer.getResultsOrThrow("1"))).containsOnly(entry("left", 3.0));
    assertThat(answer.getVersionsList())
        .extracting(ViewVersion::getFeatureView)
        .containsExactly("stock");
  }

  @Test
  void theDefaultEntityStandsInForOneThatIsNotNamed() {
    activity().row("1", 12.5, "DE").write("v1");
    pushes.view("stock", "item").feature("left", Kind.KIND_BIGINT).row("1", 3L).write("v1");
    pushes.release(Map.of("activity", "v1", "stock", "v1"));
    serve("default-entity = item");

    assertThat(values(server.ask("1").getResultsOrThrow("1"))).containsOnly(entry("left", 3.0));
  }

  @Test
  void aCorruptRowFailsAloneAndIsLoggedWithoutTheId() {
    String view = unique("corrupt");
    pushes
        .view(view, "user")
        .feature("amount", Kind.KIND_DOUBLE, Values.ofDouble(-1))
        .row("good", 1.0)
        .row("secret-id", 2.0)
        .write("v1");
    pushes.overwriteRow(view, "v1", "secret-id", new byte[] {0, 0, 1, 2, 3});
    pushes
        .view("profile", "user")
        .feature("age", Kind.KIND_BIGINT)
        .row("secret-id", 40L)
        .write("v1");
    start(view, "profile");

    GetOnlineFeaturesResponse answer = server.ask("good", "secret-id");

    assertThat(values(answer.getResultsOrThrow("good"))).containsOnly(entry("amount", 1.0));
    FeatureSet corrupt = answer.getResultsOrThrow("secret-id");
    assertThat(values(corrupt)).containsOnly(entry("age", 40.0));
    assertThat(statuses(corrupt)).containsOnly(entry("amount", "NOT_FOUND"));
    int bucket = RedisKeys.bucketOf(utf8("secret-id"), Pushes.BUCKETS);
    assertThat(logged("'" + view + "'"))
        .singleElement()
        .asString()
        .contains(
            "feature view '%s', version 'v1': a row in bucket %d is corrupt (the row ends at byte 5"
                .formatted(view, bucket))
        .doesNotContain("secret-id");
  }

  @Test
  void warningsOfCorruptRowsDoNotFloodTheLog() {
    String view = unique("flood");
    pushes.view(view, "user").feature("amount", Kind.KIND_DOUBLE).write("v1");
    for (int i = 0; i < 1_000; i++) {
      pushes.overwriteRow(view, "v1", "u" + i, new byte[0]);
    }
    start(view);
    String[] ids = IntStream.range(0, 1_000).mapToObj(i -> "u" + i).toArray(String[]::new);

    assertThat(server.ask(ids).getResultsMap()).hasSize(1_000);

    assertThat(logged("'" + view + "'")).hasSize(1);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "*",
        "u*",
        ":",
        "activity:v1:0",
        "{x}",
        "u1\n",
        "u1\r\nHGETALL x",
        "u1\u0000",
        " u1",
        "U1",
        "../u1",
        "release"
      })
  void aCraftedIdReadsNothing(String id) {
    activity().row("u1", 12.5, "DE").write("v1");
    start("activity");

    FeatureSet set = server.ask(id, "u1").getResultsOrThrow(id);

    assertThat(set.getFeaturesMap()).isEmpty();
    assertThat(set.getStatusesMap()).hasSize(2);
  }

  @Test
  void idsOfAnyCharactersAreFound() {
    activity().row("a:{b}\n*|\\", 1.0, "DE").row("köln-😀", 2.0, "FR").write("v1");
    start("activity");

    GetOnlineFeaturesResponse answer = server.ask("a:{b}\n*|\\", "köln-😀");

    assertThat(values(answer.getResultsOrThrow("a:{b}\n*|\\"))).containsEntry("amount", 1.0);
    assertThat(values(answer.getResultsOrThrow("köln-😀"))).containsEntry("amount", 2.0);
  }

  @Test
  void asManyEntitiesAsAllowedAreAnsweredInOneRequest() {
    Pushes.View activity = activity();
    String[] ids = new String[10_000];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = "user-" + i;
      activity.row(ids[i], (double) i, "DE");
    }
    activity.write("v1");
    start("activity");

    GetOnlineFeaturesResponse answer = server.ask(ids);

    assertThat(answer.getResultsMap()).hasSize(10_000);
    for (int i = 0; i < ids.length; i++) {
      assertThat(answer.getResultsOrThrow(ids[i]).getFeaturesOrThrow("amount").getNumberValue())
          .isEqualTo(i);
    }
  }

  private Pushes.View activity() {
    return pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("country", Kind.KIND_STRING, Values.ofString("??"));
  }

  /** Releases version v1 of the views, then starts the server. */
  private void start(String... views) {
    for (String view : views) {
      pushes.release(view, "v1");
    }
    serve();
  }
}
