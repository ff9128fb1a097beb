package dev.tarn.etl.compute;

import dev.tarn.cli.Plural;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.FeatureView.History;
import dev.tarn.etl.definition.SqlQuery;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.WindowRows;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.storage.StorageLevel;

/**
 * The rows of a view at each as-of of a build, in the layout of the feature table: key columns,
 * event timestamp, features.
 *
 * <p>SQL is run for each as-of. Windows read the events once for many as-ofs. Their rows are
 * written together where the table stores every row, and kept where it stores changes.
 */
final class AsOfRows implements AutoCloseable {

  /** As-ofs that are computed together. */
  private static final int AT_ONCE = 100;

  private final Lake lake;
  private final SparkSession spark;
  private final Console console;
  private final FeatureView view;
  private final SourceTables sources;

  /** The as-ofs that windows are still to be computed for, in order of time. */
  private final List<Instant> ahead;

  private List<Instant> computed = List.of();
  private Optional<Dataset<Row>> kept = Optional.empty();
  private Optional<StagedRows> staged = Optional.empty();

  /**
   * The rows of a view whose sources are open.
   *
   * @param asOfs that will be asked for
   */
  AsOfRows(
      Lake lake, Console console, FeatureView view, SourceTables sources, List<Instant> asOfs) {
    this.lake = lake;
    this.spark = lake.spark();
    this.console = console;
    this.view = view;
    this.sources = sources;
    ahead = new ArrayList<>(asOfs.stream().sorted().distinct().toList());
  }

  /** The rows of an as-of. */
  Dataset<Row> at(Instant asOf) {
    if (view.computation() instanceof SqlQuery query) {
      sources.show(asOf);
      return ViewQuery.compute(spark, view, query, asOf);
    }
    keep(asOf);
    return kept.orElseThrow().filter(Build.isOf(asOf));
  }

  /**
   * The rows of an as-of as files that are written already, under the schema that the table has
   * now; empty: they are to be written by themselves.
   */
  Optional<StagedRows> staged(FeatureTable table, Instant asOf) throws Exception {
    if (staged.filter(rows -> rows.has(asOf)).isPresent()) {
      return staged;
    }
    boolean isPossible =
        view.windows().isPresent()
            && view.history() == History.FULL
            && StagedRows.isPossible(table);
    if (!isPossible) {
      return Optional.empty();
    }
    keep(asOf);
    if (computed.size() > 1) {
      staged =
          Optional.of(
              StagedRows.write(
                  spark, view, table, computed, kept.orElseThrow(), lake.maxIdBytes()));
      kept.get().unpersist();
      kept = Optional.empty();
    }
    return staged;
  }

  /** Computes the rows of an as-of and of those after it, unless they are there. */
  private void keep(Instant asOf) {
    if (kept.isPresent() && computed.contains(asOf)) {
      return;
    }
    forget();
    ahead.removeIf(other -> other.isBefore(asOf));
    computed =
        ahead.contains(asOf)
            ? List.copyOf(ahead.subList(0, Math.min(AT_ONCE, ahead.size())))
            : List.of(asOf);
    kept = Optional.of(compute(view.windows().orElseThrow()));
  }

  private Dataset<Row> compute(Windows windows) {
    WindowRows rows = new WindowRows(spark, sources, windows, view.entity(), windows.features());
    Dataset<Row> all = rows.at(computed);
    if (computed.size() > 1 && view.history() == History.CHANGES) {
      // The rows of an as-of lie together, so that reading one passes over the others.
      all = all.sortWithinPartitions(functions.col(FeatureView.EVENT_TIMESTAMP));
    }
    all = all.persist(StorageLevel.MEMORY_AND_DISK());
    all.count();
    if (rows.withoutKey() > 0) {
      console.say(
          "%s: %s of source '%s' without %s %s to no entity",
          view.name(),
          Plural.of(rows.withoutKey(), "event"),
          windows.source().name(),
          String.join(" or ", view.entity().keyNames()),
          Plural.choose(rows.withoutKey(), "belongs", "belong"));
    }
    return all;
  }

  private void forget() {
    kept.ifPresent(Dataset::unpersist);
    kept = Optional.empty();
    staged.ifPresent(StagedRows::close);
    staged = Optional.empty();
    computed = List.of();
  }

  @Override
  public void close() {
    forget();
    sources.hide();
  }
}
