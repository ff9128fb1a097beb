package dev.tarn.etl.verify;

import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.Plural;
import dev.tarn.cli.TextTable;
import dev.tarn.etl.console.Json;
import dev.tarn.etl.verify.Difference.DifferenceKind;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.FeatureTypes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** Describes what a verification found: a screen for people, JSON for Airflow. */
public final class VerifySummary {

  /** Quantiles that are reported. */
  static final double[] QUANTILES = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

  /** Largest number of features that fit a screen. */
  private static final int ROWS = 40;

  private VerifySummary() {}

  /** Formats one screen. */
  public static String text(Verification verification) {
    VersionRecord record = verification.record();
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: version %s (%s), snapshot %d, as of %s"
            .formatted(
                record.getFeatureView(),
                record.getVersion(),
                verification.isReleased() ? "released" : "kept",
                record.getSnapshotId(),
                Timestamps.toString(record.getAsOf())));
    lines.add(
        "%s online, %,d in the snapshot%s: %s; %.1f s"
            .formatted(
                Plural.of(verification.online(), "entity"),
                verification.offline(),
                verification.isAll()
                    ? ""
                    : " (a sample of %s)".formatted(Numbers.percent(verification.share())),
                verification.differing() == 0
                    ? "all of them equal, bit for bit"
                    : "%,d %s"
                        .formatted(
                            verification.differing(),
                            Plural.choose(verification.differing(), "differs", "differ")),
                verification.took().toMillis() / 1e3));
    verification.ofAge().ifPresent(lines::add);
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
          "  … and %s more; report= and format=json have %s"
              .formatted(
                  Plural.of(verification.features().size() - ROWS, "feature"),
                  Plural.choose(verification.features().size() - ROWS, "it", "them")));
    }
    return String.join("\n", lines);
  }

  /** Describes why a verification fails: what differs, and the first entities by name. */
  public static String failure(Verification verification) {
    VersionRecord record = verification.record();
    String which =
        "%s: version %s is not its snapshot %d"
            .formatted(record.getFeatureView(), record.getVersion(), record.getSnapshotId());
    if (verification.differing() == 0) {
      return "%s: %s online, as in the snapshot, but its manifest says %,d"
          .formatted(
              which,
              Plural.of(verification.online(), "entity")
                  + Plural.choose(verification.online(), " is", " are"),
              record.getRows());
    }
    List<String> lines = new ArrayList<>();
    lines.add(
        "%s: %,d of %s %s: %s"
            .formatted(
                which,
                verification.differing(),
                Plural.of(Math.max(verification.online(), verification.offline()), "entity"),
                Plural.choose(verification.differing(), "differs", "differ"),
                verification.kinds()));
    verification.first().forEach(difference -> lines.add("  " + difference.text()));
    long more = verification.differing() - verification.first().size();
    if (more > 0) {
      lines.add("  … and %,d more".formatted(more));
    }
    return String.join("\n", lines);
  }

  /**
   * Formats the verification as JSON.
   *
   * @param report the file with the report, if one was written
   */
  public static String json(Verification verification, Optional<Path> report) {
    VersionRecord record = verification.record();
    Map<String, Long> counts = new LinkedHashMap<>();
    for (DifferenceKind kind : DifferenceKind.values()) {
      counts.put(kind.word(), verification.counts().getOrDefault(kind, 0L));
    }
    return Json.of(
        new VerifyResult(
            record.getFeatureView(),
            verification.isEqual() ? "equal" : "different",
            record.getVersion(),
            verification.isReleased(),
            Long.toString(record.getSnapshotId()),
            Timestamps.toString(record.getAsOf()),
            verification.share(),
            verification.online(),
            verification.offline(),
            record.getRows(),
            verification.tooOld(),
            verification.differing(),
            counts,
            verification.first().stream().map(VerifySummary::result).toList(),
            verification.features().stream().map(VerifySummary::result).toList(),
            verification.took().toMillis() / 1e3,
            report.map(Path::toString)));
  }

  private static EntityResult result(Difference difference) {
    return new EntityResult(
        difference.entityId(),
        difference.kind().word(),
        Optional.of(difference.detail()).filter(detail -> !detail.isEmpty()),
        difference.features());
  }

  private static FeatureResult result(Verification.OfFeature feature) {
    return new FeatureResult(
        feature.feature().getName(),
        FeatureTypes.name(feature.feature().getType()),
        feature.differing(),
        figures(feature.online()),
        figures(feature.offline()));
  }

  private static Map<String, Object> figures(Statistics statistics) {
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("rows", statistics.rows());
    figures.put("nulls", statistics.nulls());
    figures.put("null_rate", statistics.nullRate());
    figures.put("distinct", statistics.distinct());
    if (statistics.isNumeric()) {
      figures.put("not_finite", statistics.notFinite());
      figures.put("mean", statistics.mean());
      figures.put("variance", statistics.variance());
      figures.put("min", statistics.min());
      for (double share : QUANTILES) {
        figures.put(Numbers.quantileName(share), statistics.quantile(share));
      }
      figures.put("max", statistics.max());
    }
    return figures;
  }

  private record VerifyResult(
      String featureView,
      String state,
      String version,
      boolean released,
      String snapshotId,
      String asOf,
      double sample,
      long entitiesOnline,
      long entitiesOffline,
      long entitiesInManifest,
      long entitiesOutsideMaxAge,
      long differing,
      Map<String, Long> differingByKind,
      List<EntityResult> differences,
      List<FeatureResult> features,
      double seconds,
      Optional<String> report) {}

  private record EntityResult(
      String entityId,
      String kind,
      Optional<String> detail,
      List<Difference.FeatureDifference> features) {}

  private record FeatureResult(
      String feature,
      String type,
      long differing,
      Map<String, Object> online,
      Map<String, Object> offline) {}

  /** Adds one line if both sides look the same, else two. */
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
