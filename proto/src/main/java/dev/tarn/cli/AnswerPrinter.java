package dev.tarn.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.protobuf.util.Timestamps;
import dev.tarn.api.v1.FeatureSet;
import dev.tarn.api.v1.FeatureStatus;
import dev.tarn.api.v1.GetOnlineFeaturesResponse;
import dev.tarn.api.v1.ViewVersion;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Prints an answer for a person or for a program, the same way whether it came from the server or
 * from Iceberg, so that the two can be held side by side.
 */
public final class AnswerPrinter {

  private AnswerPrinter() {}

  /**
   * Prints a table of an answer from one view; see {@link #table(GetOnlineFeaturesResponse, List,
   * Instant, Map)}.
   */
  public static String table(GetOnlineFeaturesResponse answer, List<String> ids, Instant now) {
    return table(answer, ids, now, Map.of());
  }

  /**
   * Prints a table: what the answer was read from, then a line for each entity and feature.
   *
   * @param ids in the order in which to print them
   * @param now for the age of rows
   * @param views the view of each feature, by plain name; needed only where several views answered
   */
  public static String table(
      GetOnlineFeaturesResponse answer, List<String> ids, Instant now, Map<String, String> views) {
    TextTable values = new TextTable("entity", "feature", "value", "status", "age");
    for (String id : ids) {
      FeatureSet set = answer.getResultsOrDefault(id, FeatureSet.getDefaultInstance());
      TreeSet<String> names = new TreeSet<>(set.getFeaturesMap().keySet());
      names.addAll(set.getStatusesMap().keySet());
      if (names.isEmpty()) {
        values.row(id, "-", "-", "NOT_FOUND", "-");
      }
      for (String name : names) {
        Value value = set.getFeaturesOrDefault(name, null);
        values.row(
            id,
            name,
            value == null ? "-" : text(value),
            status(set, name),
            age(answer, set, name, views, now));
      }
    }
    String stale =
        answer.hasStaleSince()
            ? "stale since %s: the server can't read Redis\n\n"
                .formatted(Timestamps.toString(answer.getStaleSince()))
            : "";
    return stale + versions(answer) + "\n\n" + values + stamps(answer, ids);
  }

  private static TextTable versions(GetOnlineFeaturesResponse answer) {
    List<String> heads =
        new ArrayList<>(List.of("feature view", "version", "snapshot id", "as-of", "released at"));
    boolean hasLive = hasLive(answer);
    if (hasLive) {
      heads.add("complete through");
    }
    TextTable versions = new TextTable(heads.toArray(String[]::new));
    for (ViewVersion version : answer.getVersionsList()) {
      List<String> cells = new ArrayList<>();
      cells.add(version.getFeatureView());
      cells.add(version.getVersion().isEmpty() ? "-" : version.getVersion());
      cells.add(Long.toString(version.getSnapshotId()));
      cells.add(time(version.hasAsOf(), version.getAsOf()));
      cells.add(time(version.hasReleasedAt(), version.getReleasedAt()));
      if (hasLive) {
        cells.add(time(version.hasCompleteThrough(), version.getCompleteThrough()));
      }
      versions.row(cells.toArray(String[]::new));
    }
    return versions;
  }

  /** The stamps of an answer that has live views: with them it can be asked again. */
  private static String stamps(GetOnlineFeaturesResponse answer, List<String> ids) {
    if (!hasLive(answer)) {
      return "";
    }
    TextTable stamps = new TextTable("entity", "stamp");
    ids.forEach(
        id ->
            stamps.row(id, stamp(answer.getResultsOrDefault(id, FeatureSet.getDefaultInstance()))));
    return "\n\n" + stamps;
  }

  private static boolean hasLive(GetOnlineFeaturesResponse answer) {
    return answer.getVersionsList().stream().anyMatch(ViewVersion::hasCompleteThrough);
  }

  private static String stamp(FeatureSet set) {
    return set.getStamp().isEmpty()
        ? "-"
        : Base64.getEncoder().encodeToString(set.getStamp().toByteArray());
  }

  private static String time(boolean isThere, Timestamp time) {
    return isThere ? Timestamps.toString(time) : "-";
  }

  /**
   * The answer as JSON on one line. NaN and the infinities, which JSON does not know, are the
   * strings {@code "NaN"}, {@code "Infinity"} and {@code "-Infinity"}.
   */
  public static String json(GetOnlineFeaturesResponse answer, List<String> ids) {
    JsonObject results = new JsonObject();
    for (String id : ids) {
      FeatureSet set = answer.getResultsOrDefault(id, FeatureSet.getDefaultInstance());
      JsonObject features = new JsonObject();
      new TreeMap<>(set.getFeaturesMap())
          .forEach((name, value) -> features.add(name, element(value)));
      JsonObject statuses = new JsonObject();
      new TreeMap<>(set.getStatusesMap())
          .forEach((name, status) -> statuses.addProperty(name, word(status)));
      JsonObject times = new JsonObject();
      new TreeMap<>(set.getEventTimestampsMap())
          .forEach((view, time) -> times.addProperty(view, Timestamps.toString(time)));
      JsonObject entity = new JsonObject();
      entity.add("features", features);
      entity.add("statuses", statuses);
      entity.add("event_timestamps", times);
      if (hasLive(answer) && !set.getStamp().isEmpty()) {
        entity.addProperty("stamp", stamp(set));
      }
      results.add(id, entity);
    }
    JsonArray versions = new JsonArray();
    for (ViewVersion version : answer.getVersionsList()) {
      JsonObject object = new JsonObject();
      object.addProperty("feature_view", version.getFeatureView());
      if (!version.getVersion().isEmpty()) {
        object.addProperty("version", version.getVersion());
      }
      // A snapshot id is beyond what JSON readers keep exactly, so it goes out as a string.
      object.addProperty("snapshot_id", Long.toString(version.getSnapshotId()));
      addTime(object, "as_of", version.hasAsOf(), version.getAsOf());
      addTime(object, "released_at", version.hasReleasedAt(), version.getReleasedAt());
      addTime(
          object, "complete_through", version.hasCompleteThrough(), version.getCompleteThrough());
      versions.add(object);
    }
    JsonObject whole = new JsonObject();
    whole.add("results", results);
    whole.add("versions", versions);
    addTime(whole, "stale_since", answer.hasStaleSince(), answer.getStaleSince());
    return whole.toString();
  }

  private static void addTime(JsonObject object, String name, boolean isThere, Timestamp time) {
    if (isThere) {
      object.addProperty(name, Timestamps.toString(time));
    }
  }

  /** The age of the row that a value is from: that of the feature's own view. */
  private static String age(
      GetOnlineFeaturesResponse answer,
      FeatureSet set,
      String feature,
      Map<String, String> views,
      Instant now) {
    return viewOf(answer, feature, views)
        .map(view -> set.getEventTimestampsOrDefault(view, null))
        .map(time -> Instant.ofEpochSecond(time.getSeconds(), time.getNanos()))
        .map(at -> duration(Duration.between(at, now)))
        .orElse("-");
  }

  private static Optional<String> viewOf(
      GetOnlineFeaturesResponse answer, String feature, Map<String, String> views) {
    if (answer.getVersionsCount() == 1) {
      return Optional.of(answer.getVersions(0).getFeatureView());
    }
    return answer.getVersionsList().stream()
        .map(ViewVersion::getFeatureView)
        .filter(view -> feature.startsWith(view + "."))
        .findFirst()
        .or(() -> Optional.ofNullable(views.get(feature)));
  }

  /** A duration in its two largest units, e.g. {@code 3d4h}. */
  static String duration(Duration duration) {
    if (duration.isNegative()) {
      return "-" + duration(duration.negated());
    }
    if (duration.toDays() > 0) {
      return "%dd%dh".formatted(duration.toDays(), duration.toHoursPart());
    }
    if (duration.toHours() > 0) {
      return "%dh%dm".formatted(duration.toHours(), duration.toMinutesPart());
    }
    return "%dm%ds".formatted(duration.toMinutes(), duration.toSecondsPart());
  }

  private static String status(FeatureSet set, String name) {
    return word(set.getStatusesOrDefault(name, FeatureStatus.FEATURE_STATUS_PRESENT));
  }

  private static String word(FeatureStatus status) {
    return status.name().replaceFirst("^FEATURE_STATUS_", "");
  }

  private static String text(Value value) {
    return switch (value.getKindCase()) {
      case STRING_VALUE -> value.getStringValue();
      case NUMBER_VALUE -> number(value.getNumberValue());
      default -> element(value).toString();
    };
  }

  private static JsonElement element(Value value) {
    return switch (value.getKindCase()) {
      case BOOL_VALUE -> new JsonPrimitive(value.getBoolValue());
      case NUMBER_VALUE -> {
        double number = value.getNumberValue();
        if (isLong(number)) {
          yield new JsonPrimitive((long) number);
        }
        // Printed as a number and not as a BigDecimal, which has no −0.0.
        yield Double.isFinite(number)
            ? new JsonPrimitive(number)
            : new JsonPrimitive(Double.toString(number));
      }
      case STRING_VALUE -> new JsonPrimitive(value.getStringValue());
      case LIST_VALUE -> {
        JsonArray list = new JsonArray();
        value.getListValue().getValuesList().forEach(item -> list.add(element(item)));
        yield list;
      }
      case STRUCT_VALUE -> {
        JsonObject struct = new JsonObject();
        new TreeMap<>(value.getStructValue().getFieldsMap())
            .forEach((name, item) -> struct.add(name, element(item)));
        yield struct;
      }
      default -> JsonNull.INSTANCE;
    };
  }

  /** The shortest text that reads back as the same double; whole numbers without a fraction. */
  private static String number(double number) {
    return isLong(number) ? Long.toString((long) number) : Double.toString(number);
  }

  /** Whether the number is whole and read back from a long as the same double. */
  private static boolean isLong(double number) {
    boolean isWhole = number == Math.rint(number) && Math.abs(number) <= 1L << 53;
    boolean isMinusZero = number == 0 && Double.doubleToRawLongBits(number) != 0;
    return isWhole && !isMinusZero;
  }
}
