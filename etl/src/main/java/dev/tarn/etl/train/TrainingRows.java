package dev.tarn.etl.train;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Settings;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.lake.Lake;
import dev.tarn.manifest.FittedOn;
import dev.tarn.manifest.TrainingReading;
import dev.tarn.manifest.TrainingView;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Rows of a spine with their features, to fit transforms on.
 *
 * @param rows without defaults, which have no part in vectors
 * @param fittedOn the snapshots that they were read from
 */
public record TrainingRows(Dataset<Row> rows, List<FittedOn> fittedOn) {

  /** The rows of {@code spine=} that {@code where=} holds for, joined as {@code train} does. */
  public static TrainingRows of(CommandLine line, Lake lake, Settings settings, Console console) {
    TrainingSet set = new Training(lake, settings, console).newSet(line, Optional.empty());
    return new TrainingRows(
        set.withoutDefaults(),
        set.stored().getViewsList().stream()
            .flatMap(
                view ->
                    snapshots(view)
                        .mapToObj(
                            snapshot ->
                                FittedOn.newBuilder()
                                    .setFeatureView(view.getFeatureView())
                                    .setSnapshotId(snapshot)
                                    .build()))
            .distinct()
            .toList());
  }

  /** The snapshots that a view was read from: its table's, or that of its events. */
  private static LongStream snapshots(TrainingView view) {
    return view.hasEvents()
        ? LongStream.of(view.getEvents().getSnapshotId())
        : view.getReadingsList().stream().mapToLong(TrainingReading::getSnapshotId);
  }
}
