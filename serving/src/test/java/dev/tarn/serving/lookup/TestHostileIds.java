package dev.tarn.serving.lookup;

import static dev.tarn.serving.ServerFixture.values;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.serving.Pushes.View;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServerFixture;
import dev.tarn.serving.ServingTest;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks ids that try to reach other views, versions, buckets or control keys. */
class TestHostileIds extends ServingTest {

  @BeforeEach
  void push() {
    // The hidden rows are in all buckets, of another view and of another version.
    View hidden = pushes.view("hidden", "other").feature("n", Kind.KIND_STRING);
    View old = pushes.view("seen", "user").feature("n", Kind.KIND_STRING);
    for (int i = 0; i < 50; i++) {
      hidden.row("h" + i, "hidden");
      old.row("h" + i, "old");
    }
    hostile().forEach(id -> hidden.row(id, "hidden"));
    hostile().forEach(id -> old.row(id, "old"));
    hidden.write("v1");
    old.write("v1");
    pushes.view("seen", "user").feature("n", Kind.KIND_STRING).row("u1", "seen").write("v2");
    pushes.release(Map.of("hidden", "v1", "seen", "v2"));
    serve();
  }

  @Test
  void noCraftedIdReadsAnotherViewOrVersion() {
    List<String> ids =
        Stream.concat(hostile(), IntStream.range(0, 50).mapToObj(i -> "h" + i)).toList();

    GetOnlineFeaturesResponse answer =
        server.ask(
            ServerFixture.request(ids.toArray(String[]::new)).addEntityIds("u1").setEntity("user"));

    assertThat(answer.getResultsCount()).isEqualTo(ids.size() + 1);
    for (String id : ids) {
      assertThat(answer.getResultsOrThrow(id).getFeaturesMap()).as(id).isEmpty();
    }
    assertThat(values(answer.getResultsOrThrow("u1"))).isEqualTo(Map.of("n", "seen"));
  }

  @Test
  void aCraftedIdThatIsStoredIsItsOwnRowAndNoOther() {
    View odd = pushes.view("seen", "user").feature("n", Kind.KIND_STRING);
    List<String> ids = hostile().toList();
    for (int i = 0; i < ids.size(); i++) {
      odd.row(ids.get(i), "row " + i);
    }
    odd.write("v3");
    pushes.release("seen", "v3");

    ServerFixture.soon()
        .untilAsserted(
            () -> {
              GetOnlineFeaturesResponse answer =
                  server.ask(ServerFixture.request(ids.toArray(String[]::new)).setEntity("user"));
              for (int i = 0; i < ids.size(); i++) {
                assertThat(values(answer.getResultsOrThrow(ids.get(i))))
                    .as(ids.get(i))
                    .isEqualTo(Map.of("n", "row " + i));
              }
            });
  }

  private Stream<String> hostile() {
    String namespace = RedisFixture.namespace(settings);
    return Stream.of(
        ":",
        "{",
        "}",
        "{}",
        "\n",
        "\r\n",
        "\u0000",
        "u1\u0000",
        "u1\n",
        " u1",
        "u1:",
        "U1",
        "*",
        "../hidden",
        "hidden:h1",
        "hidden.n",
        "seen:v1:0",
        namespace + ":hidden:v1:0",
        namespace + ":seen:v1:1",
        "{" + namespace + "}:release",
        "{hidden}h1",
        "\r\n$2\r\nh1\r\n*3\r\n$4\r\nHGET\r\n",
        "\u00e9",
        "e\u0301",
        "\ud83d\ude00",
        "u1" + " ".repeat(1022),
        "x".repeat(1024));
  }
}
