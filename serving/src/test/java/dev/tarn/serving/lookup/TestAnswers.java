package dev.tarn.serving.lookup;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import java.io.IOException;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Compares the bytes of an answer with the same answer built as objects. */
class TestAnswers {

  private static final Instant NOW = Instant.parse("2026-11-21T12:00:00.123456Z");

  private final Answers answers = new Answers(new CorruptRows());
  private final ObjectAnswers objects = new ObjectAnswers(new CorruptRows());

  @Test
  void theBytesAreThoseOfTheObjectsUpToTheOrderOfMaps() throws Exception {
    Random random = new Random(31);
    RandomLookups lookups = new RandomLookups(random, NOW);
    Map<FeatureStatus, Integer> statuses = new EnumMap<>(FeatureStatus.class);
    int values = 0;
    for (int i = 0; i < 3_000; i++) {
      RandomLookups.Fetched lookup = lookups.next();
      boolean withEventTimestamps = random.nextBoolean();
      GetOnlineFeaturesResponse expected =
          objects.of(lookup.selection(), lookup.ids(), lookup.rows(), withEventTimestamps);

      byte[] written =
          answers
              .of(
                  lookup.selection().parts(),
                  lookup.ids(),
                  lookup.rows(),
                  new Details(withEventTimestamps, false),
                  64,
                  TestAnswers::anySize)
              .toBytes();

      // Equal lengths rule out repeated fields; equal messages rule out all else.
      assertThat(written).as("case %d", i).hasSize(expected.getSerializedSize());
      assertThat(ordered(GetOnlineFeaturesResponse.parseFrom(written)))
          .as("case %d: %s", i, expected)
          .isEqualTo(ordered(expected));
      for (FeatureSet set : expected.getResultsMap().values()) {
        set.getStatusesMap().values().forEach(status -> statuses.merge(status, 1, Integer::sum));
        values += set.getFeaturesCount();
      }
    }
    // The random lookups had all kinds of rows.
    assertThat(values).isGreaterThan(5_000);
    assertThat(statuses)
        .hasSize(3)
        .allSatisfy((status, count) -> assertThat(count).isGreaterThan(500));
  }

  @Test
  void theOlderServiceIsAnsweredTheValuesAlone() throws Exception {
    RandomLookups lookups = new RandomLookups(new Random(32), NOW);
    for (int i = 0; i < 1_000; i++) {
      RandomLookups.Fetched lookup = lookups.next();
      dev.tarn.api.legacy.GetOnlineFeaturesResponse expected =
          ObjectAnswers.legacy(objects.of(lookup.selection(), lookup.ids(), lookup.rows(), false));

      byte[] written =
          answers
              .of(
                  lookup.selection().legacyParts(),
                  lookup.ids(),
                  lookup.rows(),
                  Details.NONE,
                  64,
                  TestAnswers::anySize)
              .toBytes();

      assertThat(written).as("case %d", i).hasSize(expected.getSerializedSize());
      assertThat(ordered(dev.tarn.api.legacy.GetOnlineFeaturesResponse.parseFrom(written)))
          .as("case %d: %s", i, expected)
          .isEqualTo(ordered(expected));
    }
  }

  private static int anySize(int has, int needs) {
    return Math.max(2 * has, needs);
  }

  /** Writes it in one order, so that all bits are compared: equals takes all NaNs for the same. */
  private static byte[] ordered(Message message) throws IOException {
    byte[] bytes = new byte[message.getSerializedSize()];
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.useDeterministicSerialization();
    message.writeTo(out);
    return bytes;
  }
}
