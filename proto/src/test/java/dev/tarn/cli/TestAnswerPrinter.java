package dev.tarn.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TestAnswerPrinter {

  private static final Instant NOW = Instant.parse("2026-01-04T04:30:00Z");

  private static final GetOnlineFeaturesResponse ANSWER =
      GetOnlineFeaturesResponse.newBuilder()
          .putResults(
              "2",
              FeatureSet.newBuilder()
                  .putFeatures("orders", Values.ofLong(3))
                  .putFeatures("amount", Values.ofDouble(0.1))
                  .putFeatures("country", Values.NULL)
                  .putStatuses("country", FeatureStatus.FEATURE_STATUS_NULL_VALUE)
                  .putStatuses("stale", FeatureStatus.FEATURE_STATUS_OUTSIDE_MAX_AGE)
                  .putEventTimestamps("spending", time("2026-01-01T00:00:00Z"))
                  .build())
          .putResults("1", FeatureSet.getDefaultInstance())
          .addVersions(
              ViewVersion.newBuilder()
                  .setFeatureView("spending")
                  .setVersion("v1")
                  .setSnapshotId(9_007_199_254_740_993L)
                  .setAsOf(time("2026-01-01T00:00:00Z"))
                  .setReleasedAt(time("2026-01-01T01:00:00Z")))
          .build();

  @Test
  void aTableHasEntitiesInTheAskedOrderAndFeaturesInThatOfTheirNames() {
    assertThat(AnswerPrinter.table(ANSWER, List.of("2", "1"), NOW))
        .isEqualTo(
            """
              feature view  version  snapshot id       as-of                 released at
              spending      v1       9007199254740993  2026-01-01T00:00:00Z  2026-01-01T01:00:00Z

              entity  feature  value  status           age
              2       amount   0.1    PRESENT          3d4h
              2       country  null   NULL_VALUE       3d4h
              2       orders   3      PRESENT          3d4h
              2       stale    -      OUTSIDE_MAX_AGE  3d4h
              1       -        -      NOT_FOUND        -\
            """
                .replaceAll("(?m)^(?=\\S)", "  "));
  }

  @Test
  void jsonHasEntitiesInTheAskedOrderAndFeaturesInThatOfTheirNames() {
    assertThat(AnswerPrinter.json(ANSWER, List.of("2", "1")))
        .isEqualTo(
            """
            {"results":{\
            "2":{"features":{"amount":0.1,"country":null,"orders":3},\
            "statuses":{"country":"NULL_VALUE","stale":"OUTSIDE_MAX_AGE"},\
            "event_timestamps":{"spending":"2026-01-01T00:00:00Z"}},\
            "1":{"features":{},"statuses":{},"event_timestamps":{}}},\
            "versions":[{"feature_view":"spending","version":"v1",\
            "snapshot_id":"9007199254740993","as_of":"2026-01-01T00:00:00Z",\
            "released_at":"2026-01-01T01:00:00Z"}]}""");
  }

  @Test
  void anAnswerOfALiveViewSaysHowCompleteItIsAndHasStamps() {
    GetOnlineFeaturesResponse live =
        GetOnlineFeaturesResponse.newBuilder()
            .putResults(
                "2",
                FeatureSet.newBuilder()
                    .putStatuses("n", FeatureStatus.FEATURE_STATUS_LAGGING)
                    .setStamp(ByteString.copyFromUtf8("stamp?"))
                    .build())
            .addVersions(
                ANSWER.getVersions(0).toBuilder().setCompleteThrough(time("2026-01-04T04:00:00Z")))
            .build();

    assertThat(AnswerPrinter.table(live, List.of("2", "1"), NOW))
        .contains("  released at           complete through\n")
        .contains("  2026-01-01T01:00:00Z  2026-01-04T04:00:00Z\n")
        .contains("  2       n        -      LAGGING    -\n")
        .endsWith("\n\n  entity  stamp\n  2       c3RhbXA/\n  1       -");
    assertThat(AnswerPrinter.json(live, List.of("2")))
        .contains(
            "\"statuses\":{\"n\":\"LAGGING\"},\"event_timestamps\":{},\"stamp\":\"c3RhbXA/\"}")
        .endsWith("\"complete_through\":\"2026-01-04T04:00:00Z\"}]}");
  }

  @Test
  void numbersThatJsonDoesNotKnowAreTexts() {
    assertThat(json(Values.ofDouble(Double.NaN))).isEqualTo("\"NaN\"");
    assertThat(json(Values.ofDouble(Double.POSITIVE_INFINITY))).isEqualTo("\"Infinity\"");
    assertThat(json(Values.ofDouble(Double.NEGATIVE_INFINITY))).isEqualTo("\"-Infinity\"");
    assertThat(cell(Values.ofDouble(Double.NaN))).isEqualTo("NaN");
    assertThat(cell(Values.ofDouble(Double.NEGATIVE_INFINITY))).isEqualTo("-Infinity");
  }

  @Test
  void numbersReadBackAsTheSameDouble() {
    assertThat(json(Values.ofDouble(1e300))).isEqualTo("1.0E300");
    assertThat(json(Values.ofDouble(0.1f))).isEqualTo("0.10000000149011612");
    assertThat(json(Values.ofLong(1L << 53))).isEqualTo("9007199254740992");
    assertThat(json(Values.ofLong(Long.MIN_VALUE))).isEqualTo("\"-9223372036854775808\"");
    assertThat(json(Values.ofDouble(100))).isEqualTo("100");
    for (double number : new double[] {Double.MIN_VALUE, Double.MAX_VALUE, 1.0 / 3, 1e17, 1e-7}) {
      assertThat(Double.parseDouble(json(Values.ofDouble(number)))).isEqualTo(number);
    }
  }

  @Test
  void minusZeroIsNotZero() {
    assertThat(cell(Values.ofDouble(-0.0))).isEqualTo("-0.0");
    assertThat(json(Values.ofDouble(-0.0))).isEqualTo("-0.0");
    assertThat(json(Values.ofDouble(0.0))).isEqualTo("0");
  }

  @Test
  void listsAndStructsAreJsonInATableToo() {
    Value value =
        Value.newBuilder()
            .setStructValue(
                Struct.newBuilder()
                    .putFields(
                        "b",
                        Value.newBuilder()
                            .setListValue(
                                ListValue.newBuilder()
                                    .addValues(Values.ofBoolean(true))
                                    .addValues(Values.NULL))
                            .build())
                    .putFields("a", Values.ofString("x\"é<😀")))
            .build();
    assertThat(json(value)).isEqualTo("{\"a\":\"x\\\"é<😀\",\"b\":[true,null]}");
    assertThat(cell(value)).isEqualTo(json(value));
  }

  @Test
  void anAnswerFromIcebergHasNoVersionNames() {
    GetOnlineFeaturesResponse answer =
        GetOnlineFeaturesResponse.newBuilder()
            .addVersions(ViewVersion.newBuilder().setFeatureView("spending").setSnapshotId(5))
            .build();
    assertThat(AnswerPrinter.json(answer, List.of()))
        .isEqualTo(
            "{\"results\":{},\"versions\":[{\"feature_view\":\"spending\",\"snapshot_id\":\"5\"}]}");
    assertThat(AnswerPrinter.table(answer, List.of(), NOW).lines().toList().get(1))
        .isEqualTo("  spending      -        5            -      -");
  }

  @Test
  void aValueHasTheAgeOfTheRowOfItsOwnView() {
    GetOnlineFeaturesResponse answer =
        GetOnlineFeaturesResponse.newBuilder()
            .putResults(
                "1",
                FeatureSet.newBuilder()
                    .putFeatures("orders", Values.ofLong(3))
                    .putFeatures("age", Values.ofLong(40))
                    .putFeatures("profile.country", Values.ofString("DE"))
                    .putFeatures("spending.country", Values.ofString("FR"))
                    .putFeatures("unknown", Values.ofLong(1))
                    .putStatuses("gone", FeatureStatus.FEATURE_STATUS_NOT_FOUND)
                    .putEventTimestamps("spending", time("2026-01-01T00:00:00Z"))
                    .putEventTimestamps("profile", time("2026-01-04T03:30:00Z"))
                    .build())
            .addVersions(ViewVersion.newBuilder().setFeatureView("profile"))
            .addVersions(ViewVersion.newBuilder().setFeatureView("spending"))
            .addVersions(ViewVersion.newBuilder().setFeatureView("visits"))
            .build();
    assertThat(
            AnswerPrinter.table(
                    answer,
                    List.of("1"),
                    NOW,
                    Map.of("orders", "spending", "age", "profile", "gone", "visits"))
                .lines()
                .skip(6))
        .containsExactly(
            "  1       age               40     PRESENT    1h0m",
            "  1       gone              -      NOT_FOUND  -",
            "  1       orders            3      PRESENT    3d4h",
            "  1       profile.country   DE     PRESENT    1h0m",
            "  1       spending.country  FR     PRESENT    3d4h",
            "  1       unknown           1      PRESENT    -");
  }

  @Test
  void agesAreInTheirTwoLargestUnits() {
    assertThat(AnswerPrinter.duration(Duration.ofSeconds(7))).isEqualTo("0m7s");
    assertThat(AnswerPrinter.duration(Duration.ofMinutes(61))).isEqualTo("1h1m");
    assertThat(AnswerPrinter.duration(Duration.ofHours(400))).isEqualTo("16d16h");
    assertThat(AnswerPrinter.duration(Duration.ofSeconds(-90))).isEqualTo("-1m30s");
  }

  private static String json(Value value) {
    String text = AnswerPrinter.json(answer(value), List.of("1"));
    String begin = "{\"results\":{\"1\":{\"features\":{\"f\":";
    assertThat(text).startsWith(begin);
    return text.substring(begin.length(), text.indexOf("},\"statuses\""));
  }

  private static String cell(Value value) {
    String table = AnswerPrinter.table(answer(value), List.of("1"), NOW);
    String row = table.lines().reduce((first, second) -> second).orElseThrow();
    return row.strip().replaceFirst("^1 +f +", "").replaceFirst(" +PRESENT +-$", "");
  }

  private static GetOnlineFeaturesResponse answer(Value value) {
    return GetOnlineFeaturesResponse.newBuilder()
        .putResults("1", FeatureSet.newBuilder().putFeatures("f", value).build())
        .build();
  }

  @Test
  void aStaleAnswerSaysSinceWhen() {
    GetOnlineFeaturesResponse stale =
        ANSWER.toBuilder().setStaleSince(time("2026-01-04T04:00:00Z")).build();

    assertThat(AnswerPrinter.table(stale, List.of("1"), NOW))
        .startsWith("stale since 2026-01-04T04:00:00Z: the server can't read Redis\n\n");
    assertThat(AnswerPrinter.json(stale, List.of("1")))
        .endsWith("],\"stale_since\":\"2026-01-04T04:00:00Z\"}");
  }

  private static Timestamp time(String text) {
    return Timestamp.newBuilder().setSeconds(Instant.parse(text).getEpochSecond()).build();
  }
}
