package dev.tarn.serving.lookup;

import static dev.tarn.serving.RedisFixture.utf8;
import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.v1.GetFeatureVectorsRequest;
import dev.tarn.api.v1.GetFeatureVectorsResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.manifest.StoredService;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Fill;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import dev.tarn.serving.Pushes;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TestVectors extends ServingTest {

  private static final Transform STANDARDIZE =
      Transform.newBuilder()
          .setStandardize(Standardize.newBuilder().setMean(10).setStd(2))
          .setFit(true)
          .build();

  private static final Transform ONE_HOT =
      Transform.newBuilder().setOneHot(OneHot.newBuilder().addValues("DE").addValues("FR")).build();

  @BeforeEach
  void start() {
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("note", Kind.KIND_STRING)
        .feature("country", Kind.KIND_STRING)
        .feature("seen", Kind.KIND_TIMESTAMP)
        .maxAge(Duration.ofHours(1))
        .row("u1", 13.0, "skipped", "FR", 5L)
        .row("u2", null, null, "XX", null)
        .row("u3", -2.0, null, null, null)
        .rowAt(pushes.asOf().minus(Duration.ofHours(2)), "old", 1.0, "", "DE", 1L)
        .write("v1");
    pushes
        .view("profile", "user")
        .feature("age", Kind.KIND_BIGINT)
        .feature("vip", Kind.KIND_BOOLEAN)
        .snapshot(7)
        .row("u1", 40L, true)
        .row("u2", (1L << 53) + 1, false)
        .row("alone", 3L, null)
        .write("v1");
    pushes.service(fraud());
    pushes.release(Map.of("activity", "v1", "profile", "v1"));
    serve();
  }

  @Test
  void aRowHasTheFeaturesInTheServicesOrderAfterItsTransforms() {
    GetFeatureVectorsResponse answer = ask("fraud", "u1");

    assertThat(answer.getFeatureNamesList())
        .containsExactly(
            "profile.age",
            "activity.amount",
            "activity.country=DE",
            "activity.country=FR",
            "activity.country?",
            "profile.vip");
    assertThat(answer.getWidth()).isEqualTo(6);
    assertThat(row(answer, 0)).containsExactly(40, 1.5f, 0, 1, 0, 1);
    assertThat(answer.getFoundList()).containsExactly(true);
    assertThat(answer.getVersionsList())
        .extracting(ViewVersion::getFeatureView, ViewVersion::getVersion)
        .containsExactly(
            org.assertj.core.groups.Tuple.tuple("activity", "v1"),
            org.assertj.core.groups.Tuple.tuple("profile", "v1"));
    assertThat(answer.getVersions(1).getSnapshotId()).isEqualTo(7);
  }

  @Test
  void whatIsAbsentIsAsTheTransformsSay() {
    GetFeatureVectorsResponse answer = ask("fraud", "u2", "u3", "alone", "old", "nobody");

    // A null that is filled, an unknown category, and an integer beyond 2^53.
    assertThat(row(answer, 0)).containsExactly(0x1p53f, -5, 0, 0, 1, 0);
    // A null category, and no row in the other view.
    assertThat(row(answer, 1)).containsExactly(Float.NaN, -6, 0, 0, 1, Float.NaN);
    assertThat(row(answer, 2)).containsExactly(3, -5, 0, 0, 1, Float.NaN);
    // A row that is too old, and an unknown entity.
    assertThat(row(answer, 3)).containsExactly(Float.NaN, -5, 0, 0, 1, Float.NaN);
    assertThat(row(answer, 4)).containsExactly(row(answer, 3));
    assertThat(answer.getFoundList()).containsExactly(true, true, true, true, false);
  }

  @Test
  void thereIsARowForEachIdOfTheRequestInItsOrder() {
    GetFeatureVectorsResponse answer = ask("fraud", "u3", "nobody", "u1", "u3", "u1");

    assertThat(row(answer, 0)).containsExactly(row(ask("fraud", "u3"), 0));
    assertThat(row(answer, 2)).containsExactly(row(ask("fraud", "u1"), 0));
    assertThat(row(answer, 3)).containsExactly(row(answer, 0));
    assertThat(row(answer, 4)).containsExactly(row(answer, 2));
    assertThat(answer.getFoundList()).containsExactly(true, false, true, true, true);
    assertThat(answer.getValues().size()).isEqualTo(5 * 6 * 4);
  }

  @Test
  void manyRowsAreEachThatOfTheirEntity() {
    Pushes.View numbers = pushes.view("numbers", "item").feature("n", Kind.KIND_BIGINT);
    String[] ids = new String[1_000];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = "i" + i;
      numbers.row(ids[i], (long) i);
    }
    numbers.write("v1");
    pushes.service("plain", "item", "numbers.n");
    pushes.release("numbers", "v1");
    soon().untilAsserted(() -> assertThat(ask("plain", "i1").getWidth()).isEqualTo(1));

    assertThat(floats(ask("plain", ids)))
        .containsExactly(IntStream.range(0, 1_000).mapToObj(i -> (float) i).toArray(Float[]::new));
  }

  @Test
  void aRowThatIsCorruptIsAbsentAndFailsNoOther() {
    // The first value of the row still decodes.
    byte[] cut = new byte[11];
    pushes.overwriteRow("activity", "v1", "u1", cut);
    pushes.overwriteRow("activity", "v1", "u3", utf8("garbage"));

    GetFeatureVectorsResponse answer = ask("fraud", "u1", "u2", "u3");

    assertThat(row(answer, 0)).containsExactly(40, -5, 0, 0, 1, 1);
    assertThat(row(answer, 1)).containsExactly(0x1p53f, -5, 0, 0, 1, 0);
    assertThat(row(answer, 2)).containsExactly(Float.NaN, -5, 0, 0, 1, Float.NaN);
    assertThat(answer.getFoundList()).containsExactly(true, true, false);
  }

  @Test
  void aServiceThatIsNotFittedIsRefusedUntilItIs() {
    StoredService unfitted = fraud();
    StoredService.Builder change = unfitted.toBuilder();
    change
        .getTransformsBuilder(0)
        .getStepsBuilder(0)
        .setStandardize(Standardize.getDefaultInstance());
    pushes.service(change.setName("new").build());
    soon()
        .untilAsserted(
            () ->
                assertRefused(
                    request("new", "u1"),
                    Code.FAILED_PRECONDITION,
                    "feature service 'new' is not fitted yet: run ./tarn fit service=new"));

    pushes.service(unfitted.toBuilder().setName("new").build());
    soon()
        .untilAsserted(
            () ->
                assertThat(ask("new", "u1").getValues()).isEqualTo(ask("fraud", "u1").getValues()));
  }

  @Test
  void aServiceOfFeaturesThatAreNoNumbersIsRefused() {
    pushes.service("texts", "user", "activity.amount", "activity.note");
    pushes.service("times", "user", "activity.seen");
    soon().untilAsserted(() -> assertThat(refusal(request("times", "u1"))).isNotNull());

    assertRefused(
        request("texts", "u1"),
        Code.FAILED_PRECONDITION,
        "feature service 'texts' has no vectors, for its feature 'activity.note': a string is no"
            + " number: end its transforms with one-hot or hash");
    assertRefused(
        request("times", "u1"),
        Code.FAILED_PRECONDITION,
        "feature service 'times' has no vectors, for its feature 'activity.seen': a timestamp can't"
            + " be made a number: have the view's SQL compute one of it");
  }

  @Test
  void badRequestsAreRefusedAsOthersAre() {
    assertRefused(
        request("fraud"), Code.INVALID_ARGUMENT, "entity_ids: is empty: ask for 1 to 10000");
    assertRefused(request("fraud", "u1", ""), Code.INVALID_ARGUMENT, "entity_ids[1]: is empty");
    assertRefused(
        request("", "u1"),
        Code.INVALID_ARGUMENT,
        "feature_service: is empty: vectors are those of a feature service");
    assertRefused(
        request("frod", "u1"),
        Code.INVALID_ARGUMENT,
        "feature_service: no feature service 'frod'; did you mean 'fraud'?");
    pushes.service("early", "user", "activity.amount", "device.os");
    soon()
        .untilAsserted(
            () ->
                assertRefused(
                    request("early", "u1"),
                    Code.FAILED_PRECONDITION,
                    "feature service 'early' has the feature 'device.os', which is in no released"
                        + " view of entity 'user': push its view, or take it out of the service"));
  }

  @Test
  void anAnswerThatWouldFillTheMemoryIsRefused() {
    OneHot.Builder wide = OneHot.newBuilder();
    IntStream.range(0, 9_999).forEach(i -> wide.addValues("value " + i));
    pushes.service(
        StoredService.newBuilder()
            .setName("wide")
            .setEntity("user")
            .addFeatureNames("activity.country")
            .addTransforms(
                transforms("activity.country", Transform.newBuilder().setOneHot(wide).build()))
            .build());
    soon().untilAsserted(() -> assertThat(ask("wide", "u1").getWidth()).isEqualTo(10_000));
    String[] ids = new String[10_000];
    Arrays.fill(ids, "u1");

    assertRefused(
        request("wide", ids),
        Code.INVALID_ARGUMENT,
        "entity_ids: has 10,000 ids, whose vectors of 10,000 floats are 400,000,000 bytes, and the"
            + " server answers 67,108,864 at the most (serving.max-answer-bytes): ask for fewer at"
            + " once");
  }

  private static StoredService fraud() {
    return StoredService.newBuilder()
        .setName("fraud")
        .setEntity("user")
        .addAllFeatureNames(
            List.of("profile.age", "activity.amount", "activity.country", "profile.vip"))
        .addTransforms(
            transforms(
                "activity.amount",
                STANDARDIZE,
                Transform.newBuilder().setFill(Fill.newBuilder().setNumber(-5)).build()))
        .addTransforms(transforms("activity.country", ONE_HOT))
        .build();
  }

  private static FeatureTransforms transforms(String feature, Transform... steps) {
    return FeatureTransforms.newBuilder()
        .setFeatureName(feature)
        .addAllSteps(List.of(steps))
        .build();
  }

  private static GetFeatureVectorsRequest request(String service, String... ids) {
    return GetFeatureVectorsRequest.newBuilder()
        .setFeatureService(service)
        .addAllEntityIds(List.of(ids))
        .build();
  }

  private GetFeatureVectorsResponse ask(String service, String... ids) {
    return server.stub().getFeatureVectors(request(service, ids));
  }

  private Status refusal(GetFeatureVectorsRequest request) {
    return ServerFixture.refusal(() -> server.stub().getFeatureVectors(request));
  }

  private void assertRefused(GetFeatureVectorsRequest request, Code code, String description) {
    Status status = refusal(request);
    assertThat(status.getDescription()).isEqualTo(description);
    assertThat(status.getCode()).isEqualTo(code);
  }

  private static float[] row(GetFeatureVectorsResponse answer, int row) {
    float[] all = floats(answer);
    return Arrays.copyOfRange(all, row * answer.getWidth(), (row + 1) * answer.getWidth());
  }

  private static float[] floats(GetFeatureVectorsResponse answer) {
    FloatBuffer buffer =
        answer.getValues().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    float[] floats = new float[buffer.remaining()];
    buffer.get(floats);
    return floats;
  }
}
