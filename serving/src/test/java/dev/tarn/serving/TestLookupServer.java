package dev.tarn.serving;

import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import dev.tarn.api.legacy.GetOnlineFeaturesRequest;
import dev.tarn.api.legacy.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.Feature;
import dev.tarn.api.v1.FeatureView;
import dev.tarn.api.v1.ListFeatureViewsRequest;
import dev.tarn.cli.TarnException;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.row.Values;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServiceResponse;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Checks what the server offers besides lookups, and how it starts and stops. */
class TestLookupServer extends ServingTest {

  @BeforeEach
  void start() {
    pushes
        .view("profile", "user")
        .feature("age", Kind.KIND_BIGINT, Values.ofLong(0))
        .with(
            manifest -> {
              manifest.setDescription("who they are").setOwner("risk").addTags("pii");
              manifest
                  .getFeaturesBuilder(0)
                  .setDescription("in years")
                  .setOwner("ana")
                  .addTags("t");
            })
        .row("u1", 40L)
        .row("u2", (Object) null)
        .write("v1");
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .maxAge(Duration.ofDays(1))
        .row("u1", 12.5)
        .write("v3");
    pushes.release(Map.of("profile", "v1", "activity", "v3"));
    serve();
  }

  @Test
  void featureViewsAreListedByNameWithTheirDefinitions() {
    assertThat(
            server
                .stub()
                .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
                .getFeatureViewsList())
        .extracting(FeatureView::getName)
        .containsExactly("activity", "profile");
    FeatureView activity = listed(0);
    assertThat(activity.getMaxAge()).isEqualTo(Durations.fromDays(1));
    assertThat(activity.getRows()).isEqualTo(1);
    assertThat(activity.getReleased()).isEqualTo(server.ask("u1").getVersions(0));
    assertThat(activity.getFeaturesList())
        .containsExactly(Feature.newBuilder().setName("amount").setType("double").build());
    FeatureView profile = listed(1);
    assertThat(profile.getEntity()).isEqualTo("user");
    assertThat(profile.getEntityKeysList()).containsExactly("user_id");
    assertThat(profile.getDescription()).isEqualTo("who they are");
    assertThat(profile.getOwner()).isEqualTo("risk");
    assertThat(profile.getTagsList()).containsExactly("pii");
    assertThat(profile.hasMaxAge()).isFalse();
    assertThat(profile.getFeaturesList())
        .containsExactly(
            Feature.newBuilder()
                .setName("age")
                .setType("bigint")
                .setDescription("in years")
                .setOwner("ana")
                .addTags("t")
                .setDefaultValue(Values.ofLong(0))
                .build());
  }

  @Test
  void theOlderNameAnswersTheSameValues() {
    GetOnlineFeaturesResponse answer =
        server
            .legacy()
            .getOnlineFeatures(
                GetOnlineFeaturesRequest.newBuilder()
                    .addEntityIds("u1")
                    .addEntityIds("u2")
                    .addEntityIds("nobody")
                    .build());

    Map<String, Value> u1 = answer.getResultsOrThrow("u1").getFeaturesMap();
    assertThat(u1).isEqualTo(server.ask("u1").getResultsOrThrow("u1").getFeaturesMap());
    assertThat(answer.getResultsOrThrow("u2").getFeaturesMap())
        .isEqualTo(Map.of("age", Values.ofLong(0)));
    assertThat(answer.getResultsOrThrow("nobody").getFeaturesMap()).isEmpty();
  }

  @Test
  void theOlderNameTakesFeatureNamesAndRefusesAlike() {
    GetOnlineFeaturesRequest.Builder request =
        GetOnlineFeaturesRequest.newBuilder().addEntityIds("u1").addFeatureNames("activity.amount");
    assertThat(
            server
                .legacy()
                .getOnlineFeatures(request.build())
                .getResultsOrThrow("u1")
                .getFeaturesMap())
        .containsOnlyKeys("activity.amount");

    assertThatThrownBy(
            () -> {
              var unused = server.legacy().getOnlineFeatures(request.addFeatureNames("x").build());
            })
        .hasMessageStartingWith("INVALID_ARGUMENT: feature_names[1]: no feature 'x'");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "feature_store.v1.FeatureStoreService", "feature_store.FeatureStore"})
  void healthIsServingUnderEachName(String service) {
    assertThat(server.health(service)).isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void healthOfAServiceThatIsNotHereIsNotFound() {
    assertThat(
            catchThrowableOfType(StatusRuntimeException.class, () -> server.health("other"))
                .getStatus()
                .getCode())
        .isEqualTo(Code.NOT_FOUND);
  }

  @Test
  void healthIsNotServingWhileDraining() {
    try (ServerFixture draining =
        new ServerFixture(settings, ServerFixture.settings("drain = 1s"))) {
      Iterator<HealthCheckResponse> watch =
          HealthGrpc.newBlockingStub(draining.channel())
              .watch(HealthCheckRequest.getDefaultInstance());
      assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.SERVING);

      draining.stop();

      assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    }
  }

  @Test
  void reflectionListsTheServices() {
    assertThat(server.reflection(new Metadata()).orTimeout(30, TimeUnit.SECONDS).join())
        .satisfies(
            message ->
                assertThat(message.getListServicesResponse().getServiceList())
                    .extracting(ServiceResponse::getName)
                    .contains(
                        "feature_store.v1.FeatureStoreService",
                        "feature_store.FeatureStore",
                        "grpc.health.v1.Health",
                        "grpc.reflection.v1.ServerReflection",
                        "grpc.reflection.v1alpha.ServerReflection"));
  }

  @Test
  void aPortInUseIsSaidWithWhatToDo() {
    int port = server.server().port();
    ServingSettings taken = ServerFixture.settings("port = " + port);

    assertThatThrownBy(() -> LookupServer.start(taken, settings))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "port %d of 127.0.0.1 is in use: stop what uses it or set serving.port"
                .formatted(port));
  }

  @Test
  void anAddressThatIsNotOursIsSaidWithWhatToDo() {
    ServingSettings foreign = ServerFixture.settings("host = 192.0.2.1");

    assertThatThrownBy(() -> LookupServer.start(foreign, settings))
        .isInstanceOf(TarnException.class)
        .hasMessageStartingWith("can't listen on 192.0.2.1:0 (")
        .hasMessageEndingWith("): set serving.host and serving.port");
  }

  @Test
  void aStoppedServerLeavesItsPort() {
    int port = server.server().port();
    server.close();

    ServingSettings same = ServerFixture.settings("port = " + port);
    try (ServerFixture next = new ServerFixture(settings, same)) {
      assertThat(values(next.ask("u1").getResultsOrThrow("u1"))).containsEntry("age", 40.0);
    }
  }

  private FeatureView listed(int index) {
    return server
        .stub()
        .listFeatureViews(ListFeatureViewsRequest.getDefaultInstance())
        .getFeatureViews(index);
  }
}
