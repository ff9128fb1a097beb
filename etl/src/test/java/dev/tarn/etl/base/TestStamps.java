package dev.tarn.etl.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.base.LiveView.Event;
import dev.tarn.etl.catalog.LiveCuts;
import dev.tarn.etl.read.SparkValues;
import dev.tarn.etl.read.StampLookup;
import dev.tarn.etl.train.Training;
import dev.tarn.live.Cut;
import dev.tarn.live.LiveAnswer;
import dev.tarn.live.LivePlan;
import dev.tarn.live.LiveRow;
import dev.tarn.live.StampText;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.RowReader;
import dev.tarn.row.RowValues;
import dev.tarn.row.RowWriter;
import dev.tarn.row.Values;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Answers of live views, as the server merges them from a base and live cells, and the same asked
 * again from Iceberg.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestStamps {

  private static final String VIEW = "seen";
  private static final long MINUTE = 60_000_000L;
  private static final long HORIZON = 20 * MINUTE;
  private static final int QUESTIONS = Integer.getInteger("tarn.stamped.answers", 10_000);

  /** An answer of the server's, with its stamp. */
  private record Answer(long user, Stamp stamp, Optional<Map<String, Value>> values) {}

  private LiveView view;
  private VersionRecord record;
  private final List<Answer> answers = new ArrayList<>();

  @BeforeAll
  void answerMany() throws Exception {
    view = new LiveView(VIEW, "stamped", "event-id = id, event-id-horizon = 20m");
    Random random = new Random(11);
    long now = Values.micros(Instant.now());
    List<Event> all = LiveView.events(random, 0, 0, 1_500, now - 3_600_000_000L);
    all.addAll(LiveView.events(random, 1, 0, 900, now - 3_600_000_000L));
    view.archive(all, 1_500, 900);
    record = view.push().record();

    // The server's side: live cells from an older cut on, of ever more events.
    LiveBase base = record.getLive().toBuilder().clearCut().putCut(0, 640).putCut(1, 256).build();
    List<Event> counted = LiveView.counted(all, HORIZON);
    Cut baseCut = Cut.of(base.getCutMap());
    Map<Long, byte[]> baseCells = new HashMap<>();
    for (int i = 0; i < QUESTIONS; i++) {
      long user = random.nextInt(31);
      long[] cut = {640 + random.nextInt(861), 256 + random.nextInt(645)};
      long micros = now + random.nextLong(30 * 3_600_000_000L);
      if (random.nextInt(4) == 0) {
        // At the very time of an event.
        Event event = counted.get(random.nextInt(counted.size()));
        micros = Math.max(now, event.micros());
      }
      LiveAnswer answer = new LiveAnswer(LivePlan.of(base), baseCut, micros);
      answer.addBase(
          baseCells.computeIfAbsent(
              user, one -> LiveView.base(base, own(counted, one, new long[2], baseCut), now)));
      answer.addLive(
          LiveView.live(base, own(counted, user, new long[] {640, 256}, Cut.of(cut)), now));
      Stamp stamp =
          Stamp.newBuilder()
              .setMicros(micros)
              .addLive(
                  LiveStamp.newBuilder()
                      .setFeatureView(VIEW)
                      .setGeneration(base.getGeneration())
                      .addOffsets(cut[0])
                      .addOffsets(cut[1]))
              .build();
      answers.add(
          new Answer(
              user,
              stamp,
              answer.isThere() ? Optional.of(values(base, answer)) : Optional.empty()));
    }
    assertThat(answers.stream().filter(answer -> answer.values().isPresent()).count())
        .isBetween(QUESTIONS / 4L, QUESTIONS - 50L);
  }

  /** The events of a user from offsets on and before a cut. */
  private static List<Event> own(List<Event> events, long user, long[] from, Cut to) {
    return events.stream()
        .filter(
            event ->
                event.user() == user
                    && event.offset() >= from[event.partition()]
                    && event.offset() < to.next(event.partition()))
        .toList();
  }

  /** What lookups answer: values by name; nothing of those that are null. */
  private static Map<String, Value> values(LiveBase base, LiveAnswer answer) throws Exception {
    Map<String, Value> values = new TreeMap<>();
    for (int i = 0; i < base.getFeaturesCount(); i++) {
      StoredFeature feature = base.getFeatures(i);
      Object value = answer.value(i);
      if (value != null) {
        RowWriter row = new RowWriter();
        row.start(0, 0);
        row.putNulls(1);
        LiveRow.put(row, feature.getType(), value);
        RowReader reader = new RowReader(row.toBytes());
        long unused = reader.readEventTimestamp(0);
        values.put(feature.getName(), RowValues.read(reader, List.of(feature.getType()))[0]);
      }
    }
    return values;
  }

  @Test
  void aTrainingSetByStampsHasWhatWasAnswered() {
    StructType columns =
        new StructType()
            .add("user_id", DataTypes.LongType)
            .add("place", DataTypes.IntegerType)
            .add("stamp", DataTypes.BinaryType);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < answers.size(); i++) {
      rows.add(RowFactory.create(answers.get(i).user(), i, answers.get(i).stamp().toByteArray()));
    }
    Dataset<Row> spine = view.bench().spark().createDataFrame(rows, columns);
    Dataset<Row> set =
        Training.join(
                view.bench().spark(),
                spine,
                "model",
                options(Map.of("as", "served", "stamp", "stamp")))
            .rows();
    int compared = 0;
    for (Row row : set.collectAsList()) {
      Answer answer = answers.get(row.getInt(row.fieldIndex("place")));
      for (StoredFeature feature : record.getLive().getFeaturesList()) {
        Optional<Value> expected = answer.values().map(all -> all.get(feature.getName()));
        Object value = row.getAs(feature.getName());
        boolean isDefault =
            expected.isEmpty() && answer.values().isPresent() && feature.hasDefaultValue();
        assertThat(value == null ? Optional.empty() : Optional.of(SparkValues.of(value)))
            .as("%s of user %d, %s", feature.getName(), answer.user(), answer.stamp())
            .isEqualTo(isDefault ? Optional.of(feature.getDefaultValue()) : expected);
        compared++;
      }
    }
    assertThat(compared).isEqualTo(answers.size() * record.getLive().getFeaturesCount());
    System.out.printf("TestStamps: %,d values of stamped answers, 0 bits different%n", compared);
  }

  @Test
  void anAnswerIsAskedAgainByItsStamp() {
    StampLookup lookup = new StampLookup(view.bench().lake());
    for (Answer answer : answers.subList(0, 6)) {
      FeatureSet set =
          lookup
              .get(
                  view.bench().definitions(),
                  answer.stamp(),
                  List.of(Long.toString(answer.user()), "007", "nobody"),
                  List.of())
              .getResultsOrThrow(Long.toString(answer.user()));
      for (StoredFeature feature : record.getLive().getFeaturesList()) {
        String name = feature.getName();
        if (answer.values().isEmpty()) {
          assertThat(set.getStatusesOrThrow(name))
              .isEqualTo(FeatureStatus.FEATURE_STATUS_NOT_FOUND);
        } else if (answer.values().get().containsKey(name)) {
          assertThat(set.getFeaturesOrThrow(name)).isEqualTo(answer.values().get().get(name));
        } else {
          assertThat(set.getStatusesOrThrow(name))
              .isEqualTo(FeatureStatus.FEATURE_STATUS_NULL_VALUE);
          assertThat(set.getFeaturesOrThrow(name))
              .isEqualTo(feature.hasDefaultValue() ? feature.getDefaultValue() : Values.NULL);
        }
      }
    }
    Stamp beyond =
        answers.get(0).stamp().toBuilder()
            .setLive(0, answers.get(0).stamp().getLive(0).toBuilder().setOffsets(1, 901))
            .build();
    assertThatThrownBy(
            () -> lookup.get(view.bench().definitions(), beyond, List.of("1"), List.of()))
        .isInstanceOf(TarnException.class)
        .hasMessage(
            "seen: the archive has not reached offset 901 of partition 1 yet: ./tarn archive source=stamped");
    Stamp unknown =
        answers.get(0).stamp().toBuilder()
            .setLive(0, answers.get(0).stamp().getLive(0).toBuilder().setGeneration("none"))
            .build();
    assertThatThrownBy(
            () -> lookup.get(view.bench().definitions(), unknown, List.of("1"), List.of()))
        .hasMessageContaining("has no definition of generation none");
  }

  @Test
  void theCommandTakesTheTextOfAStamp() {
    Answer answer =
        answers.stream().filter(one -> one.values().isPresent()).findFirst().orElseThrow();
    view.bench().output();
    String stamp = "stamp=" + HexFormat.of().formatHex(answer.stamp().toByteArray());
    int status =
        view.bench().run("get", stamp, "ids=" + answer.user(), "features=kinds_1h", "format=json");
    long kinds = (long) answer.values().get().get("kinds_1h").getNumberValue();
    assertThat(status).isZero();
    assertThat(view.bench().output()).contains("kinds_1h", Long.toString(kinds));
    assertThat(view.bench().run("get", stamp, "ids=1", "snapshot=1")).isEqualTo(2);
    assertThat(view.bench().output()).contains("leave out snapshot= and view=");
  }

  @Test
  void aSetByStampsIsMadeAgain() {
    StructType columns =
        new StructType().add("user_id", DataTypes.LongType).add("stamp", DataTypes.StringType);
    List<Row> rows =
        answers.subList(0, 200).stream()
            .map(
                answer ->
                    RowFactory.create(
                        answer.user(),
                        Base64.getUrlEncoder().encodeToString(answer.stamp().toByteArray())))
            .toList();
    String spine = view.bench().path("spine").toString();
    view.bench().spark().createDataFrame(rows, columns).write().parquet(spine);
    Map<String, String> asked = options(Map.of("as", "served", "stamp", "stamp"));
    String out = view.bench().path("set").toString();
    var set =
        Training.join(
            view.bench().spark(), view.bench().spark().read().parquet(spine), "model", asked);
    set.save(out);
    List<String> again =
        Training.again(view.bench().spark(), out, options(Map.of("spine", spine)))
            .rows()
            .collectAsList()
            .stream()
            .map(Row::toString)
            .sorted()
            .toList();
    assertThat(again)
        .hasSize(200)
        .isEqualTo(set.rows().collectAsList().stream().map(Row::toString).sorted().toList());
    Dataset<Row> wrong = view.bench().spark().sql("SELECT 1L AS user_id, 'no stamp' AS stamp");
    assertThatThrownBy(() -> Training.join(view.bench().spark(), wrong, "model", asked))
        .hasMessageContaining("1 of 1 row has no stamp that can be read as a stamp");
  }

  @Test
  void theTextOfAStampIsBase64OrHex() {
    Stamp stamp = answers.get(0).stamp();
    for (String text :
        List.of(
            HexFormat.of().formatHex(stamp.toByteArray()),
            Base64.getEncoder().encodeToString(stamp.toByteArray()),
            Base64.getUrlEncoder().withoutPadding().encodeToString(stamp.toByteArray()))) {
      assertThat(StampText.parse(text)).isEqualTo(stamp);
    }
    assertThatThrownBy(() -> StampText.parse("12345"))
        .hasMessageContaining("stamp=12345 is no stamp");
  }

  @Test
  void withoutStampsTheLedgerSaysWhatWasServed() {
    Instant released =
        Values.instant(
            Timestamps.toMicros(
                view.bench().versions().releasedRecord(VIEW).orElseThrow().getCreatedAt()));
    String generation = record.getLive().getGeneration();
    Answer answer =
        answers.stream().filter(one -> one.values().isPresent()).findFirst().orElseThrow();
    LiveStamp live = answer.stamp().getLive(0);
    dev.tarn.etl.catalog.Cut cut = LiveView.cut(live.getOffsets(0), live.getOffsets(1));
    Instant at = released.plusSeconds(60);
    new LiveCuts(view.bench().lake().catalog())
        .add(
            List.of(
                new LiveCuts.LiveCut(VIEW, at, generation, cut, Optional.of(at)),
                new LiveCuts.LiveCut(
                    VIEW, at.plusSeconds(60), generation, cut, Optional.of(at.minusSeconds(60))),
                new LiveCuts.LiveCut(VIEW, at.plusSeconds(61), "another", cut, Optional.of(at))));
    Instant question = at.plusSeconds(30);
    Stamp stamp = answer.stamp().toBuilder().setMicros(Values.micros(question)).build();
    List<Row> rows =
        List.of(
            RowFactory.create(answer.user(), at.minusSeconds(1)),
            RowFactory.create(answer.user(), question),
            RowFactory.create(answer.user(), at.plusSeconds(90)));
    StructType columns =
        new StructType()
            .add("user_id", DataTypes.LongType)
            .add("event_timestamp", DataTypes.TimestampType);
    List<Row> set =
        Training.join(
                view.bench().spark(),
                view.bench().spark().createDataFrame(rows, columns),
                "model",
                options(Map.of("as", "served")))
            .rows()
            .orderBy("event_timestamp")
            .collectAsList();
    FeatureSet asked =
        new StampLookup(view.bench().lake())
            .get(view.bench().definitions(), stamp, List.of("" + answer.user()), List.of())
            .getResultsOrThrow("" + answer.user());
    // Before the first cut, and while the view lagged, there was no answer.
    for (int i : new int[] {0, 2}) {
      assertThat(set.get(i).<Object>getAs("avg_1d")).isNull();
      assertThat(set.get(i).<Object>getAs("last_1d")).isNull();
    }
    for (String name : List.of("events_1m", "avg_1d", "last_3", "money_1d")) {
      Object value = set.get(1).getAs(name);
      assertThat(SparkValues.of(value)).isEqualTo(asked.getFeaturesOrDefault(name, Values.NULL));
    }
  }

  private Map<String, String> options(Map<String, String> own) {
    Map<String, String> options = new TreeMap<>(own);
    view.bench()
        .settingWords()
        .forEach(
            word ->
                options.put(
                    word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1)));
    return options;
  }
}
