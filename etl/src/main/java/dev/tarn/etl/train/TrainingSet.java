package dev.tarn.etl.train;

import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.lake.Lake;
import dev.tarn.manifest.TrainingManifest;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** The rows of a spine with their features, and the manifest that describes how the set is made. */
public final class TrainingSet {

  private final Lake lake;
  private final Spine spine;
  private final TrainingManifest manifest;
  private final TrainingRead read;

  /** Whether its snapshots are kept: it was made before, or is saved. */
  private boolean isKept;

  TrainingSet(Lake lake, Spine spine, TrainingManifest manifest, boolean isKept) {
    this.lake = lake;
    this.spine = spine;
    this.manifest = manifest;
    this.isKept = isKept;
    read = new TrainingRead(lake, spine, manifest);
  }

  /**
   * The set: the spine's columns, then the service's features under their plain names, or {@code
   * vector}. One row for each row of the spine, in any order; what is saved is in order of entity,
   * time and all other columns.
   */
  public Dataset<Row> rows() {
    return read.rows();
  }

  /**
   * The description from which the set can be made again, as JSON. Its snapshots are kept once the
   * set is saved.
   */
  public String manifest() {
    return TrainingSets.json(manifest);
  }

  /** The set's id, for {@code ./tarn retire}. */
  public String id() {
    return manifest.getId();
  }

  /** Writes the set to a new folder or Iceberg table and keeps its snapshots. */
  public void save(String out) {
    save(out, false);
  }

  /**
   * Writes the set and keeps its snapshots until its manifest is retired.
   *
   * @param out a folder for Parquet files, or an Iceberg table
   * @param overwrite whether a training set that is there is replaced
   * @throws dev.tarn.cli.UsageException if something is there
   * @throws dev.tarn.cli.TarnException if it can't be written; then nothing of it is there
   */
  public void save(String out, boolean overwrite) {
    Output output = Output.of(lake, out, overwrite);
    TrainingSets sets = new TrainingSets(lake.catalog());
    if (isKept) {
      output.write(read::rowsInOrder, spine.count(), manifest.getId(), manifest());
      return;
    }
    try {
      sets.keep(manifest);
      output.write(read::rowsInOrder, spine.count(), manifest.getId(), manifest());
      sets.made(manifest, out);
      isKept = true;
    } finally {
      if (!isKept) {
        sets.removeTags(manifest);
      }
    }
  }

  Dataset<Row> withoutDefaults() {
    return read.withoutDefaults();
  }

  public TrainingManifest stored() {
    return manifest;
  }

  public long count() {
    return spine.count();
  }
}
