package dev.tarn.serving.client;

import static dev.tarn.serving.ServerFixture.soon;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.manifest.FeatureType.Kind;
import dev.tarn.row.Values;
import dev.tarn.serving.RedisFixture;
import dev.tarn.serving.ServingTest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class TestGet extends ServingTest {

  @BeforeEach
  void start() {
    pushes
        .view("activity", "user")
        .feature("amount", Kind.KIND_DOUBLE)
        .feature("country", Kind.KIND_STRING)
        .snapshot(8_734_650_112_377_221_634L)
        .row("u1", 12.5, null)
        .row("a,b", 1.0, "DE")
        .write("v1");
    pushes.release("activity", "v1");
    serve();
  }

  @Test
  void anAnswerIsATableOfVersionsAndValues() throws InterruptedException {
    assertThat(get("ids=u1,nobody").lines().map(String::strip))
        .anySatisfy(
            line -> assertThat(line).matches("activity +v1 +8734650112377221634 +\\S+ +\\S+"))
        .anySatisfy(line -> assertThat(line).matches("u1 +amount +12.5 +PRESENT +\\d+m\\d+s"))
        .anySatisfy(line -> assertThat(line).matches("u1 +country +null +NULL_VALUE +\\d+m\\d+s"))
        .anySatisfy(line -> assertThat(line).matches("nobody +amount +- +NOT_FOUND +-"));
  }

  @Test
  void eachValueHasTheAgeOfTheRowOfItsOwnView() throws InterruptedException {
    pushes
        .view("profile", "user")
        .feature("country", Kind.KIND_STRING)
        .feature("born", Kind.KIND_BIGINT)
        .asOf(pushes.asOf().minus(Duration.ofDays(40)))
        .row("u1", "FR", 1990L)
        .write("v1");
    pushes.release("profile", "v1");

    soon()
        .untilAsserted(
            () ->
                assertThat(get("ids=u1").lines().map(String::strip))
                    .anySatisfy(
                        line -> assertThat(line).matches("u1 +amount .*PRESENT +\\d+m\\d+s"))
                    .anySatisfy(line -> assertThat(line).matches("u1 +born .*PRESENT +40d0h"))
                    .anySatisfy(
                        line ->
                            assertThat(line).matches("u1 +activity.country .*_VALUE +\\d+m\\d+s"))
                    .anySatisfy(
                        line -> assertThat(line).matches("u1 +profile.country .*PRESENT +40d0h")));
    assertThat(get("ids=u1", "features=amount,born").lines().map(String::strip))
        .anySatisfy(line -> assertThat(line).matches("u1 +amount .*PRESENT +\\d+m\\d+s"))
        .anySatisfy(line -> assertThat(line).matches("u1 +born .*PRESENT +40d0h"));
  }

  @Test
  void anAnswerMayBeJson() throws InterruptedException, InvalidProtocolBufferException {
    Struct.Builder answer = Struct.newBuilder();
    JsonFormat.parser().merge(get("ids=u1", "features=activity.amount", "format=json"), answer);

    Struct u1 = struct(struct(answer.build(), "results"), "u1");
    assertThat(struct(u1, "features").getFieldsMap())
        .isEqualTo(Map.of("activity.amount", Values.ofDouble(12.5)));
    assertThat(struct(u1, "event_timestamps").getFieldsMap()).containsOnlyKeys("activity");
    Value version = answer.getFieldsOrThrow("versions").getListValue().getValues(0);
    assertThat(version.getStructValue().getFieldsOrThrow("snapshot_id"))
        .isEqualTo(Values.ofString("8734650112377221634"));
  }

  @Test
  void idsMayHaveCommasInAList() throws InterruptedException {
    assertThat(get("ids=[\"a,b\"]", "format=json")).contains("\"a,b\":{\"features\":{\"amount\":1");
  }

  @Test
  void anIdThatIsGivenTwiceIsPrintedOnce() throws InterruptedException {
    assertThat(get("ids=u1,u1", "features=amount").lines().filter(line -> line.contains("u1")))
        .hasSize(1);
  }

  @Test
  void aRefusalIsPrintedAsTheServerSaidIt() {
    assertThatThrownBy(() -> get("ids=u1", "features=amout"))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "INVALID_ARGUMENT: feature_names[0]: no feature 'amout' of entity 'user'; did you mean"
                + " 'amount'?");
    assertThatThrownBy(() -> get("ids=u1", "entity=item"))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "INVALID_ARGUMENT: entity: no feature view of entity 'item' is released; there are:"
                + " user");
  }

  @Test
  void aClientMayAskAgainAndAgain() {
    List<String> said = new ArrayList<>();
    CommandLine line = line("ids=u1", "every=1ms", "target=127.0.0.1:" + server.server().port());

    assertThatThrownBy(
            () ->
                Get.run(
                    line,
                    1,
                    text -> {
                      said.add(text);
                      if (said.size() == 2) {
                        Thread.currentThread().interrupt();
                      }
                    }))
        .isInstanceOf(InterruptedException.class);
    assertThat(said).hasSize(2).allMatch(text -> text.contains("12.5"));
  }

  @Test
  void noServerIsSaidWithWhatToDo() {
    int port = RedisFixture.freePort();

    assertThatThrownBy(() -> Get.run(line("ids=u1"), port, text -> {}))
        .isInstanceOf(TarnException.class)
        .hasMessage("no server at 127.0.0.1:%d: start one with ./tarn serve".formatted(port));
  }

  @Test
  void whatBelongsToIcebergIsBadUse() {
    for (String word : List.of("snapshot=1", "stamp=CAE")) {
      assertThatThrownBy(() -> get("ids=u1", word))
          .isInstanceOf(UsageException.class)
          .hasMessage(
              "get with snapshot= or stamp= reads Iceberg, which belongs to the etl jar: run it as ./tarn get …");
    }
    assertThatThrownBy(() -> get("ids=u1", "view=activity"))
        .isInstanceOf(UsageException.class)
        .hasMessage("view= goes with snapshot=; a server is asked for features=VIEW.FEATURE");
  }

  private String get(String... words) throws InterruptedException {
    String[] all = Arrays.copyOf(words, words.length + 1);
    all[words.length] = "target=127.0.0.1:" + server.server().port();
    StringBuilder said = new StringBuilder();
    Get.run(line(all), 1, said::append);
    return said.toString();
  }

  private static Struct struct(Struct in, String field) {
    return in.getFieldsOrThrow(field).getStructValue();
  }

  private static CommandLine line(String... words) {
    String[] all = new String[words.length + 1];
    all[0] = "get";
    System.arraycopy(words, 0, all, 1, words.length);
    return CommandLine.parse(all).orElseThrow();
  }
}
