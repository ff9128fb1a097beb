package dev.tarn.etl.verify;

import com.google.gson.JsonArray;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.verify.Difference.Kind;
import dev.tarn.manifest.Manifest;
import dev.tarn.row.FeatureTypes;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/** What a verification says when it is done: a screen for people, JSON for Airflow. */
public final class VerifySummary {

  /** The quantiles that are told. */
  static final double[] QUANTILES = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

  /** More features than this don't fit a screen. */
  private static final int ROWS = 40;

  private VerifySummary() {}

  /** One screen. */
  public static String text(Verification verification) {
    Manifest manifest = verification.manifest();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: version %s (%s), snapshot %d, as of %s"
            .formatted(
                manifest.getFeatureView(),
                manifest.getVersion(),
                verification.isReleased() ? "released" : "kept",
                manifest.getSnapshotId(),
                Timestamps.toString(manifest.getAsOf())));
    lines.add(
        "%,d entities online, %,d in the snapshot%s: %s; %.1f s"
            .formatted(
                verification.online(),
                verification.offline(),
                verification.isAll()
                    ? ""
                    : " (a sample of %s)".formatted(Numbers.percent(verification.share())),
                verification.differing() == 0
                    ? "all of them equal, bit for bit"
                    : "%,d differ".formatted(verification.differing()),
                verification.took().toMillis() / 1e3));
    TextTable table =
        new TextTable(
            "feature",
            "type",
            "differing",
            "",
            "nulls",
            "distinct",
            "mean",
            "variance",
            "min",
            "p05",
            "p50",
            "p95",
            "max");
    verification.features().stream().limit(ROWS).forEach(feature -> add(table, feature));
    lines.add(table.toString());
    if (verification.features().size() > ROWS) {
      lines.add(
          "  … and %d features more; report= and format=json have them"
              .formatted(verification.features().size() - ROWS));
    }
    return String.join("\n", lines);
  }

  /** Why a verification fails: what differs, and the first entities by name. */
  public static String failure(Verification verification) {
    Manifest manifest = verification.manifest();
    String which =
        "%s: version %s is not its snapshot %d"
            .formatted(manifest.getFeatureView(), manifest.getVersion(), manifest.getSnapshotId());
    if (verification.differing() == 0) {
      return "%s: %,d entities are online, as in the snapshot, but its manifest says %,d"
          .formatted(which, verification.online(), manifest.getRows());
    }
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: %,d of %,d entities differ: %s"
            .formatted(
                which,
                verification.differing(),
                Math.max(verification.online(), verification.offline()),
                verification.kinds()));
    verification.first().forEach(difference -> lines.add("  " + difference.text()));
    long more = verification.differing() - verification.first().size();
    if (more > 0) {
      lines.add("  … and %,d more".formatted(more));
    }
    return String.join("\n", lines);
  }

  public static JsonObject json(Verification verification) {
    Manifest manifest = verification.manifest();
    JsonObject object = new JsonObject();
    object.addProperty("feature_view", manifest.getFeatureView());
    object.addProperty("state", verification.isEqual() ? "equal" : "different");
    object.addProperty("version", manifest.getVersion());
    object.addProperty("released", verification.isReleased());
    object.addProperty("snapshot_id", Long.toString(manifest.getSnapshotId()));
    object.addProperty("as_of", Timestamps.toString(manifest.getAsOf()));
    object.addProperty("sample", verification.share());
    object.addProperty("entities_online", verification.online());
    object.addProperty("entities_offline", verification.offline());
    object.addProperty("entities_in_manifest", manifest.getRows());
    object.addProperty("differing", verification.differing());
    JsonObject counts = new JsonObject();
    for (Kind kind : Kind.values()) {
      counts.addProperty(kind.word(), verification.counts().getOrDefault(kind, 0L));
    }
    object.add("differing_by_kind", counts);
    JsonArray differences = new JsonArray();
    verification.first().forEach(difference -> differences.add(json(difference)));
    object.add("differences", differences);
    JsonArray features = new JsonArray();
    for (Verification.OfFeature feature : verification.features()) {
      JsonObject json = new JsonObject();
      json.addProperty("feature", feature.feature().getName());
      json.addProperty("type", FeatureTypes.name(feature.feature().getType()));
      json.addProperty("differing", feature.differing());
      json.add("online", json(feature.online()));
      json.add("offline", json(feature.offline()));
      features.add(json);
    }
    object.add("features", features);
    object.addProperty("seconds", verification.took().toMillis() / 1e3);
    return object;
  }

  private static JsonObject json(Difference difference) {
    JsonObject object = new JsonObject();
    object.addProperty("entity_id", difference.entityId());
    object.addProperty("kind", difference.kind().word());
    if (!difference.detail().isEmpty()) {
      object.addProperty("detail", difference.detail());
    }
    JsonArray features = new JsonArray();
    for (Difference.FeatureDifference feature : difference.features()) {
      JsonObject json = new JsonObject();
      json.addProperty("feature", feature.feature());
      json.addProperty("online", feature.online());
      json.addProperty("offline", feature.offline());
      features.add(json);
    }
    object.add("features", features);
    return object;
  }

  private static JsonObject json(Statistics statistics) {
    JsonObject object = new JsonObject();
    object.addProperty("rows", statistics.rows());
    object.addProperty("nulls", statistics.nulls());
    object.addProperty("null_rate", statistics.nullRate());
    object.addProperty("distinct", statistics.distinct());
    if (statistics.isNumeric()) {
      object.addProperty("not_finite", statistics.notFinite());
      add(object, "mean", statistics.mean());
      add(object, "variance", statistics.variance());
      add(object, "min", statistics.min());
      for (double share : QUANTILES) {
        add(object, Numbers.quantileName(share), statistics.quantile(share));
      }
      add(object, "max", statistics.max());
    }
    return object;
  }

  private static void add(JsonObject object, String name, OptionalDouble value) {
    if (value.isPresent()) {
      object.addProperty(name, value.getAsDouble());
    } else {
      object.add(name, JsonNull.INSTANCE);
    }
  }

  /** One line where both sides look the same, else two. */
  private static void add(TextTable table, Verification.OfFeature feature) {
    List<String> online = cells(feature.online());
    List<String> offline = cells(feature.offline());
    List<String> head =
        List.of(
            feature.feature().getName(),
            FeatureTypes.name(feature.feature().getType()),
            "%,d".formatted(feature.differing()));
    if (online.equals(offline)) {
      table.row(row(head, "both", online));
    } else {
      table.row(row(head, "online", online));
      table.row(row(List.of("", "", ""), "offline", offline));
    }
  }

  private static String[] row(List<String> head, String side, List<String> cells) {
    List<String> row = new ArrayList<>(head);
    row.add(side);
    row.addAll(cells);
    return row.toArray(new String[0]);
  }

  private static List<String> cells(Statistics statistics) {
    List<String> cells = new ArrayList<>();
    cells.add(Numbers.percent(statistics.nullRate()));
    cells.add("%,d".formatted(statistics.distinct()));
    for (OptionalDouble value :
        List.of(
            statistics.mean(),
            statistics.variance(),
            statistics.min(),
            statistics.quantile(0.05),
            statistics.quantile(0.5),
            statistics.quantile(0.95),
            statistics.max())) {
      cells.add(Numbers.of(value));
    }
    return cells;
  }
}
