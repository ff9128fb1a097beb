package dev.tarn.serving.lookup;

import static dev.tarn.serving.ServerFixture.request;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import dev.tarn.api.v1.GetOnlineFeaturesRequest;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks which requests are refused, with which status and words. */
class TestBadRequests extends ServingTest {

  @BeforeEach
  void start() {
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("country", Kind.KIND_STRING)
        .row("u1", 1.0, "DE")
        .write("v1");
    pushes.view("profile", "user").feature("country", Kind.KIND_STRING).row("u1", "FR").write("v1");
    pushes.service("fraud", "user", "activity.amount");
    pushes.release(Map.of("activity", "v1", "profile", "v1"));
    serve();
  }

  @Test
  void noIdsAtAll() {
    assertInvalid(request(), "entity_ids: is empty: ask for 1 to 10000");
  }

  @Test
  void moreIdsThanAllowed() {
    String[] ids = IntStream.rangeClosed(0, 10_000).mapToObj(i -> "u" + i).toArray(String[]::new);

    assertInvalid(
        request(ids),
        "entity_ids: has 10001 ids and the server answers 10000 at the most"
            + " (serving.max-entities)");
  }

  @Test
  void anEmptyId() {
    assertInvalid(request("a", "b", "c", ""), "entity_ids[3]: is empty");
  }

  @Test
  void anIdThatIsTooLongInBytesIsNotEchoed() {
    assertInvalid(
        request("a", "ä".repeat(513)),
        "entity_ids[1]: has 1026 bytes and the server takes 1024 at the most"
            + " (serving.max-id-bytes)");
    assertThat(server.ask("ä".repeat(512)).getResultsMap()).hasSize(1);
  }

  @Test
  void aFeatureThatDoesNotExist() {
    assertInvalid(
        request("u1").addFeatureNames("amount").addFeatureNames("amout"),
        "feature_names[1]: no feature 'amout' of entity 'user'; did you mean 'amount'?");
  }

  @Test
  void aFeatureThatItsViewDoesNotHave() {
    assertInvalid(
        request("u1").addFeatureNames("profile.county"),
        "feature_names[0]: no feature 'profile.county' of entity 'user'; did you mean"
            + " 'profile.country'?");
  }

  @Test
  void aFeatureThatIsLikeNoOtherIsToldWhichThereAre() {
    assertInvalid(
        request("u1").addFeatureNames("xyz"),
        "feature_names[0]: no feature 'xyz' of entity 'user'; there are: amount, activity.country,"
            + " profile.country");
  }

  @Test
  void aPlainNameThatTwoViewsHave() {
    assertInvalid(
        request("u1").addFeatureNames("country"),
        "feature_names[0]: 'country' is in several feature views: ask for activity.country or"
            + " profile.country");
  }

  @Test
  void anEmptyFeatureName() {
    assertInvalid(request("u1").addFeatureNames(""), "feature_names[0]: is empty");
  }

  @Test
  void aHugeFeatureNameIsCut() {
    assertInvalid(
        request("u1").addFeatureNames("x".repeat(1_000_000)),
        "feature_names[0]: no feature '" + "x".repeat(64) + "…' of entity 'user'");
  }

  @Test
  void anEntityThatDoesNotExist() {
    assertInvalid(
        request("u1").setEntity("usr"),
        "entity: no feature view of entity 'usr' is released; did you mean 'user'?");
  }

  @Test
  void noEntityWhereThereAreSeveral() {
    pushes.view("stock", "item").feature("left", Kind.KIND_BIGINT).row("i1", 3L).write("v1");
    pushes.release("stock", "v1");
    ServerFixture.soon()
        .until(() -> server.ask(request("i1").setEntity("item")).getResultsCount() == 1);

    assertInvalid(request("u1"), "entity: is empty; there are: item, user");
  }

  @Test
  void aServiceThatDoesNotExist() {
    assertInvalid(
        request("u1").setFeatureService("frod"),
        "feature_service: no feature service 'frod'; did you mean 'fraud'?");
  }

  @Test
  void aServiceTogetherWithNames() {
    assertInvalid(
        request("u1").setFeatureService("fraud").addFeatureNames("amount"),
        "feature_names: excludes feature_service: ask for the one or the other");
  }

  @Test
  void aServiceOfAnotherEntity() {
    assertInvalid(
        request("u1").setFeatureService("fraud").setEntity("item"),
        "entity: feature service 'fraud' is of entity 'user', not 'item'");
  }

  @Test
  void theFieldIsAlsoInABadRequestDetail() throws InvalidProtocolBufferException {
    StatusRuntimeException refusal =
        catchThrowableOfType(
            StatusRuntimeException.class, () -> server.ask(request("u1").addFeatureNames("amout")));

    com.google.rpc.Status status = StatusProto.fromThrowable(refusal);
    assertThat(status.getDetailsList()).hasSize(1);
    assertThat(status.getDetails(0).unpack(BadRequest.class).getFieldViolationsList())
        .containsExactly(
            BadRequest.FieldViolation.newBuilder()
                .setField("feature_names[0]")
                .setDescription("no feature 'amout' of entity 'user'; did you mean 'amount'?")
                .build());
  }

  @Test
  void aRefusalReachesTheClientHoweverManyNamesThereAre() {
    Pushes.View wide = pushes.view("wide", "user");
    for (int i = 0; i < 2_000; i++) {
      wide.feature("a_rather_long_feature_name_" + i, Kind.KIND_DOUBLE);
    }
    wide.write("v1");
    pushes.release("wide", "v1");
    ServerFixture.soon().until(() -> server.ask("u1").getVersionsCount() == 3);

    Status status = server.refusal(request("u1").addFeatureNames("ü".repeat(60)));

    assertThat(status.getCode()).isEqualTo(Code.INVALID_ARGUMENT);
    assertThat(status.getDescription()).startsWith("feature_names[0]: no feature 'ü").endsWith("…");
  }

  @Test
  void aRequestBeyondTheMessageSizeLimit() {
    String[] ids =
        IntStream.range(0, 6_000).mapToObj(i -> "x".repeat(1_000) + i).toArray(String[]::new);

    Status status = server.refusal(request(ids));

    assertThat(status.getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED);
    assertThat(status.getDescription()).contains("message exceeds maximum size 4194304");
  }

  private void assertInvalid(GetOnlineFeaturesRequest.Builder request, String description) {
    server.assertRefused(request, Code.INVALID_ARGUMENT, description);
  }
}
