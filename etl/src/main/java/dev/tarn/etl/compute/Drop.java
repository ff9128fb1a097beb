package dev.tarn.etl.compute;

import dev.tarn.cli.TarnException;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.AsOfSeries;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.lake.Lake;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Takes one as-of out of a feature table, the way a build brings one: what is to be published is
 * written to an audit branch, and {@code main} moves there in one commit. Where changes are stored,
 * the same commit stores how the as-of after it differs from the one before it. No other rows
 * change, and older snapshots stay as they are.
 */
public final class Drop {

  /** The number of as-ofs that a message names. */
  private static final int NAMED = 5;

  /**
   * The result.
   *
   * @param rows number of rows that the as-of had
   * @param snapshotId what main moved to
   */
  public record Dropped(long rows, long snapshotId) {}

  private final Lake lake;
  private final Build build;
  private final FeatureView view;
  private final FeatureTable table;
  private final Console console;

  /** Prepares to take as-ofs out of a view's table. */
  public Drop(Lake lake, FeatureView view, FeatureTable table, Console console) {
    this.lake = lake;
    this.build = new Build(lake, console);
    this.view = view;
    this.table = table;
    this.console = console;
  }

  /**
   * Counts the rows that main has of an as-of.
   *
   * @throws UsageException if main does not have the as-of
   */
  public long rows(Instant asOf) {
    return rows(table.main().orElseThrow(), asOf);
  }

  /**
   * Drops an as-of from main.
   *
   * @throws UsageException if main does not have it
   * @throws TarnException if that fails; main is what it was
   */
  public Dropped drop(Instant asOf) {
    for (int attempt = 1; ; attempt++) {
      try {
        return writePublish(asOf);
      } catch (TarnException e) {
        throw e;
      } catch (Exception e) { // Scala does not declare what it throws
        if (!(e instanceof CommitFailedException) || attempt == Build.ATTEMPTS) {
          throw new TarnException(
              "%s as of %s is not dropped; what was published stays as it was: %s"
                  .formatted(view.name(), asOf, Causes.reason(e)),
              e);
        }
        console.say("a build of %s was published first; once more", view.name());
      }
    }
  }

  private Dropped writePublish(Instant asOf) throws Exception {
    String branch = table.audits().create(asOf);
    boolean isPublished = false;
    try {
      // What the branch was made of, and not main, which may have moved on.
      Snapshot base = table.iceberg().snapshot(Build.head(table, branch));
      long rows = rows(base, asOf);
      String branchName = table.sqlName() + ".branch_" + branch;
      Map<String, String> summary = new HashMap<>();
      summary.put(FeatureTable.DROPPED, asOf.toString());
      summary.put(FeatureTable.TARN_VERSION, TarnVersion.current());
      if (base.summary().containsKey(FeatureTable.DEFINITION)) {
        summary.put(FeatureTable.DEFINITION, base.summary().get(FeatureTable.DEFINITION));
      }
      Dataset<Row> stored = stored(base);
      if (table.storesChanges(base)) {
        AsOfSeries asOfs = table.asOfs(base);
        Changes changes = Changes.asStored(view.entity().keyNames(), stored, asOfs);
        build.delete(table, branchName, changes.touched(asOf));
        summary.put(FeatureTable.AS_OFS, asOfs.minus(asOf).toString());
        Build.append(changes.recordsWithout(asOf), branchName, summary);
      } else {
        build.delete(table, branchName, List.of(asOf));
        // No row, but the snapshot that is published.
        Build.append(stored.limit(0), branchName, summary);
      }
      long snapshotId = Build.head(table, branch);
      table.audits().publish(branch, snapshotId);
      isPublished = true;
      return new Dropped(rows, snapshotId);
    } finally {
      if (!isPublished && table.refs().all().containsKey(branch)) {
        table.refs().change(refs -> refs.removeBranch(branch));
      }
    }
  }

  /** All rows of a snapshot, by their field ids under the schema of now. */
  private Dataset<Row> stored(Snapshot snapshot) {
    return lake.spark().read().option("snapshot-id", snapshot.snapshotId()).table(table.sqlName());
  }

  private long rows(Snapshot snapshot, Instant asOf) {
    Dataset<Row> stored = stored(snapshot);
    if (table.storesChanges(snapshot)) {
      AsOfSeries asOfs = table.asOfs(snapshot);
      if (!asOfs.contains(asOf)) {
        throw unknown(asOf, asOfs.newest(NAMED));
      }
      return Changes.asStored(view.entity().keyNames(), stored, asOfs).rowsAt(asOf).count();
    }
    long rows = stored.filter(Build.isOf(asOf)).count();
    if (rows == 0) {
      throw unknown(
          asOf,
          stored
              .select(FeatureView.EVENT_TIMESTAMP)
              .distinct()
              .orderBy(functions.col(FeatureView.EVENT_TIMESTAMP).desc())
              .limit(NAMED)
              .collectAsList()
              .stream()
              .map(row -> row.getInstant(0))
              .toList());
    }
    return rows;
  }

  private UsageException unknown(Instant asOf, List<Instant> newest) {
    return new UsageException(
        "as-of=%s: main of %s has no rows of it%s"
            .formatted(
                asOf,
                table.sqlName(),
                newest.isEmpty()
                    ? ", nor of any other as-of"
                    : "; its newest as-ofs are "
                        + newest.stream()
                            .map(Instant::toString)
                            .collect(Collectors.joining(", "))));
  }
}
