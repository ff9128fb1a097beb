package dev.tarn.bench.stream;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Value;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.manifest.LiveStamp;
import dev.tarn.manifest.Stamp;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * An answer about a user, of the features of {@link Oracle}.
 *
 * @param cut by partition the first offset that does not count, by the stamp
 * @param moment of the question, by the stamp
 * @param lags whether it was not answered because live lags
 * @param values as the oracle has them; of no meaning if it lags
 */
@SuppressWarnings("ArrayRecordComponent") // Nobody compares answers.
public record StampedAnswer(
    int user, ByteString stamp, long[] cut, long moment, boolean lags, List<String> values) {

  private static final Set<String> DOUBLES = Set.of("score_1h", "most_1h", "score_30d");

  /** Reads an answer. */
  static StampedAnswer of(int user, FeatureSet set) {
    Stamp stamp;
    try {
      stamp = Stamp.parseFrom(set.getStamp());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("a stamp that is none", e);
    }
    // A view that lags is not in the stamp.
    boolean lags = set.getStatusesMap().containsValue(FeatureStatus.FEATURE_STATUS_LAGGING);
    if (stamp.getLiveCount() != (lags ? 0 : 1)) {
      throw new IllegalStateException("the stamp of user %d: %s".formatted(user, stamp));
    }
    return new StampedAnswer(
        user,
        set.getStamp(),
        stamp.getLiveList().stream()
            .map(LiveStamp::getOffsetsList)
            .flatMap(List::stream)
            .mapToLong(Long::longValue)
            .toArray(),
        stamp.getMicros(),
        lags,
        values(set));
  }

  private static List<String> values(FeatureSet set) {
    Map<String, Value> features = set.getFeaturesMap();
    if (features.isEmpty()) {
      return Oracle.NOTHING;
    }
    return Oracle.FEATURES.stream()
        .map(name -> text(name, features.getOrDefault(name, Value.getDefaultInstance())))
        .toList();
  }

  private static String text(String name, Value value) {
    return switch (value.getKindCase()) {
      case NUMBER_VALUE ->
          DOUBLES.contains(name)
              ? Oracle.text(value.getNumberValue())
              : Long.toString((long) value.getNumberValue());
      case STRING_VALUE -> value.getStringValue();
      case LIST_VALUE ->
          value.getListValue().getValuesList().stream()
              .map(Value::getStringValue)
              .toList()
              .toString();
      case NULL_VALUE -> "null";
      default -> "missing";
    };
  }
}
