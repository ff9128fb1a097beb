package dev.tarn.etl.compute;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.AsOfSeries;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.SchemaEvolution;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.FeatureView.History;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.PublishedRows;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.source.ReadFailures;
import dev.tarn.etl.source.SourceTables;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.spark.CommitMetadata;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.storage.StorageLevel;

/**
 * Computes a feature view for one as-of or several and publishes each in its feature table.
 *
 * <p>An as-of's rows are written to an audit branch, the view's checks run, and only then does
 * {@code main} move to it, in one commit. Whatever fails, and whenever the job is killed, {@code
 * main} is what it was. Building an as-of again replaces its rows and no others. In a range, an
 * as-of that main has from the same definition is passed over, so a range that was stopped goes on
 * where it stopped.
 */
public final class Build {

  /**
   * Attempts; more than one is needed only if another build publishes to the same table in between.
   */
  static final int ATTEMPTS = 10;

  /**
   * The result for one as-of.
   *
   * @param rows number of rows that the SQL gave
   * @param changed where changes are stored: the entities that differ from the as-of before
   * @param snapshotId what main moved to; the newest snapshot of main if nothing was to be done
   */
  public record AsOfOutcome(
      Instant asOf,
      boolean built,
      long rows,
      Optional<Long> changed,
      long snapshotId,
      Duration took) {}

  /**
   * The result for one view of several.
   *
   * @param asOfs those that are done
   * @param failure what stopped it before the next as-of
   */
  public record ViewOutcome(
      FeatureView view, List<AsOfOutcome> asOfs, Optional<TarnException> failure) {}

  private final Lake lake;
  private final SparkSession spark;
  private final Console console;

  public Build(Lake lake, Console console) {
    this.lake = lake;
    this.spark = lake.spark();
    this.console = console;
  }

  /**
   * Builds the as-ofs in order.
   *
   * @param skip whether to pass over those that are up to date
   * @throws TarnException if the definition does not fit, a source can't be read or a check fails;
   *     the as-ofs before that one are published
   */
  public List<AsOfOutcome> build(FeatureView view, List<Instant> asOfs, boolean skip) {
    List<AsOfOutcome> outcomes = new ArrayList<>();
    build(view, open(view), asOfs, skip, outcomes);
    return outcomes;
  }

  /**
   * Builds several views, one after the other, whose sources are opened once: all of them see the
   * same data. A view that fails, also as one of its sources can't be opened, leaves the others as
   * they are.
   *
   * @param skip whether to pass over the as-ofs that are up to date
   * @throws TarnException if a definition does not fit; then nothing is built
   */
  public List<ViewOutcome> buildAll(List<FeatureView> views, List<Instant> asOfs, boolean skip) {
    Map<Source, TarnException> closed = new HashMap<>();
    SourceTables sources = SourceTables.openEach(spark, sourcesOf(views), closed::put);
    check(
        views.stream().filter(view -> view.sources().stream().noneMatch(closed::containsKey)),
        sources);
    List<ViewOutcome> outcomes = new ArrayList<>();
    for (FeatureView view : views) {
      List<AsOfOutcome> built = new ArrayList<>();
      Optional<TarnException> failure =
          view.sources().stream().filter(closed::containsKey).map(closed::get).findFirst();
      try {
        if (failure.isEmpty()) {
          build(view, sources.only(view.sources()), asOfs, skip, built);
        }
      } catch (TarnException e) {
        failure = Optional.of(e);
      }
      if (failure.isPresent()) {
        console.say("%s: stopped; on with the next view", view.name());
      }
      outcomes.add(new ViewOutcome(view, built, failure));
    }
    return outcomes;
  }

  /** Opens the sources of a view and checks its definition against them. */
  private SourceTables open(FeatureView view) {
    SourceTables sources = SourceTables.open(spark, sourcesOf(List.of(view)));
    check(Stream.of(view), sources);
    return sources;
  }

  private static List<Source> sourcesOf(List<FeatureView> views) {
    return views.stream().flatMap(view -> view.sources().stream()).distinct().toList();
  }

  private void check(Stream<FeatureView> views, SourceTables sources) {
    Problems problems = new Problems();
    views.forEach(
        view -> ViewQuery.check(spark, view, sources.declared(spark, view.sources()), problems));
    problems.throwIfAny();
    sources.notes().forEach(note -> console.say("%s", note));
  }

  /** Builds the as-ofs in order and adds what was done, so that it is known if one fails. */
  private void build(
      FeatureView view,
      SourceTables sources,
      List<Instant> asOfs,
      boolean skip,
      List<AsOfOutcome> outcomes) {
    FeatureTable table = FeatureTable.findOrCreate(lake.catalog(), view, TableLayout.schema(view));
    List<Instant> missing =
        asOfs.stream()
            .filter(asOf -> !skip || !table.isUpToDate(asOf, view.definitionHash()))
            .toList();
    try (AsOfRows rows = new AsOfRows(lake, console, view, sources, missing)) {
      for (Instant asOf : asOfs) {
        AsOfOutcome outcome;
        try (Pulse pulse = TaskProgress.show(lake, console, view.name() + " as of " + asOf)) {
          outcome = buildOne(view, table, sources, rows, asOf, skip);
        }
        report(view, outcome, outcomes.size() + 1, asOfs.size());
        outcomes.add(outcome);
      }
    }
  }

  private AsOfOutcome buildOne(
      FeatureView view,
      FeatureTable table,
      SourceTables sources,
      AsOfRows rows,
      Instant asOf,
      boolean skip) {
    Instant start = Instant.now();
    if (skip && table.isUpToDate(asOf, view.definitionHash())) {
      long snapshotId = table.main().orElseThrow().snapshotId();
      return new AsOfOutcome(
          asOf, false, 0, Optional.empty(), snapshotId, Duration.between(start, Instant.now()));
    }
    for (int attempt = 1; ; attempt++) {
      try {
        Published published = writeAuditPublish(view, table, sources, rows, asOf);
        Duration took = Duration.between(start, Instant.now());
        return new AsOfOutcome(
            asOf, true, published.rows(), published.changed(), published.snapshotId(), took);
      } catch (TarnException e) {
        throw e;
      } catch (Exception e) { // Scala does not declare what it throws
        // Another build moved main or the branch, so the rows must be written again on top of that.
        if (e instanceof CommitFailedException && attempt < ATTEMPTS) {
          console.say("another build of %s was published first; once more", view.name());
          continue;
        }
        throw new TarnException(
            "build of %s as of %s failed; what was published stays as it was: %s"
                .formatted(view.name(), asOf, ReadFailures.reason(e)),
            e);
      }
    }
  }

  private record Published(long rows, Optional<Long> changed, long snapshotId) {}

  private record Written(long rows, Optional<Long> changed, long snapshotId) {}

  /** Writes the rows where nobody reads, checks them there, and moves main to them. */
  private Published writeAuditPublish(
      FeatureView view, FeatureTable table, SourceTables sources, AsOfRows computed, Instant asOf)
      throws Exception {
    Table iceberg = table.iceberg();
    // Before the schema changes, so that a killed build leaves a trace of it.
    String branch = table.audits().create(asOf);
    Optional<Long> mainBefore = table.main().map(Snapshot::snapshotId);
    int schemaBefore = iceberg.schema().schemaId();
    boolean isPublished = false;
    try {
      SchemaEvolution.follow(iceberg, view, TableLayout.schema(view));
      int schema = iceberg.schema().schemaId();
      for (String source : sources.notBegun(asOf)) {
        console.say(
            "source '%s' has rows, and none of them is from before %s: is its timestamp right?",
            source, asOf);
      }
      Map<String, String> summary = new HashMap<>();
      summary.put(FeatureTable.AS_OF, asOf.toString());
      summary.put(FeatureTable.DEFINITION, view.definitionHash());
      summary.put(FeatureTable.SOURCES, sources.fingerprint());
      summary.put(FeatureTable.TARN_VERSION, TarnVersion.current());
      Optional<StagedRows> staged = computed.staged(table, asOf);
      Written written;
      if (staged.isPresent()) {
        written = writeStaged(view, table, branch, asOf, staged.get(), summary);
      } else if (view.history() == History.CHANGES) {
        written = writeChanges(view, table, branch, asOf, computed.at(asOf), summary);
      } else {
        written = writeRows(view, table, branch, asOf, computed.at(asOf), summary);
      }
      iceberg.refresh();
      if (iceberg.schema().schemaId() != schema) {
        // Published under another schema, what was written could not be read by its field ids.
        throw new CommitFailedException("another build changed the schema of %s", view.name());
      }
      table.audits().publish(branch, written.snapshotId());
      isPublished = true;
      return new Published(written.rows(), written.changed(), written.snapshotId());
    } finally {
      if (!isPublished) {
        iceberg.refresh();
        if (iceberg.refs().containsKey(branch)) {
          table.refs().change(refs -> refs.removeBranch(branch));
        }
        boolean isMainAsBefore = table.main().map(Snapshot::snapshotId).equals(mainBefore);
        if (isMainAsBefore && table.audits().areNone()) {
          SchemaEvolution.restore(iceberg, schemaBefore);
        }
      }
    }
  }

  /** Writes the rows to the branch and checks them there. */
  private Written writeRows(
      FeatureView view,
      FeatureTable table,
      String branch,
      Instant asOf,
      Dataset<Row> rows,
      Map<String, String> summary)
      throws Exception {
    String branchName = table.sqlName() + ".branch_" + branch;
    delete(table, branchName, List.of(asOf));
    append(rows, branchName, summary);
    long snapshotId = head(table, branch);
    long count =
        audit(
            view,
            table,
            asOf,
            spark
                .read()
                .option("snapshot-id", snapshotId)
                .table(table.sqlName())
                .filter(isOf(asOf)),
            () -> PublishedRows.before(spark, table, asOf));
    return new Written(count, Optional.empty(), snapshotId);
  }

  /** Adds the files with the rows to the branch, once the checks hold. */
  private Written writeStaged(
      FeatureView view,
      FeatureTable table,
      String branch,
      Instant asOf,
      StagedRows staged,
      Map<String, String> summary)
      throws Exception {
    long count =
        requireRight(
            view, table, asOf, staged.audit(asOf, () -> PublishedRows.before(spark, table, asOf)));
    delete(table, table.sqlName() + ".branch_" + branch, List.of(asOf));
    AppendFiles append = table.iceberg().newAppend().toBranch(branch);
    staged.files(asOf).forEach(append::appendFile);
    summary.forEach(append::set);
    append.commit();
    long snapshotId = head(table, branch);
    staged.requireThere();
    return new Written(count, Optional.empty(), snapshotId);
  }

  /**
   * Checks the rows and writes to the branch what they change. The branch never has the rows
   * themselves, so they are kept while they are checked and compared: the SQL runs once.
   */
  private Written writeChanges(
      FeatureView view,
      FeatureTable table,
      String branch,
      Instant asOf,
      Dataset<Row> rows,
      Map<String, String> summary)
      throws Exception {
    String branchName = table.sqlName() + ".branch_" + branch;
    // What the branch was made of, and not main, which may have moved on. By its id: older records
    // are read by their field ids under the schema of now.
    Snapshot base = table.iceberg().snapshot(branch);
    Optional<Snapshot> main = table.main();
    if (main.isPresent() && main.get().snapshotId() != base.snapshotId()) {
      throw new CommitFailedException("main of %s has moved on", view.name());
    }
    Dataset<Row> stored =
        spark.read().option("snapshot-id", base.snapshotId()).table(table.sqlName());
    AsOfSeries asOfs = table.asOfs(base);
    Changes changes = new Changes(view, stored, asOfs);
    Dataset<Row> kept = rows.persist(StorageLevel.MEMORY_AND_DISK());
    try {
      long count = audit(view, table, asOf, kept, () -> changes.rowsBefore(asOf));
      delete(table, branchName, changes.touched(asOf));
      summary.put(FeatureTable.AS_OFS, asOfs.plus(asOf).toString());
      summary.put(FeatureTable.ROWS, Long.toString(count));
      append(changes.records(asOf, kept), branchName, summary);
      long snapshotId = head(table, branch);
      long changed = spark.table(branchName).filter(isOf(asOf)).count();
      return new Written(count, Optional.of(changed), snapshotId);
    } finally {
      kept.unpersist();
    }
  }

  /** The newest snapshot of a branch. */
  static long head(FeatureTable table, String branch) {
    SnapshotRef ref = table.refs().all().get(branch);
    if (ref == null) {
      throw new CommitFailedException("branch %s of %s was removed", branch, table.sqlName());
    }
    return ref.snapshotId();
  }

  /** Deletes the rows of as-ofs from a branch, in a snapshot that nobody may read. */
  void delete(FeatureTable table, String branchName, List<Instant> asOfs) throws Exception {
    List<String> there = new ArrayList<>();
    for (Instant asOf : asOfs) {
      if (table.mayHave(asOf)) {
        there.add("TIMESTAMP '%s'".formatted(asOf));
      }
    }
    if (there.isEmpty()) {
      return;
    }
    CommitMetadata.withCommitProperties(
        Map.of(FeatureTable.REPLACES, asOfs.get(0).toString()),
        () ->
            spark.sql(
                "DELETE FROM %s WHERE event_timestamp IN (%s)"
                    .formatted(branchName, String.join(", ", there))),
        Exception.class);
  }

  /** Appends rows to a branch, with properties of the snapshot. */
  static void append(Dataset<Row> rows, String branchName, Map<String, String> summary)
      throws Exception {
    DataFrameWriterV2<Row> writer = rows.writeTo(branchName);
    summary.forEach((name, value) -> writer.option("snapshot-property." + name, value));
    writer.append();
  }

  /** The number of rows, once all checks hold. */
  private long audit(
      FeatureView view,
      FeatureTable table,
      Instant asOf,
      Dataset<Row> rows,
      Supplier<Optional<Long>> rowsBefore) {
    return requireRight(
        view, table, asOf, new Audit(view, rows, lake.maxIdBytes()).run(rowsBefore));
  }

  private static long requireRight(
      FeatureView view, FeatureTable table, Instant asOf, Audit.AuditResult audited) {
    if (!audited.failures().isEmpty()) {
      throw new TarnException(
          "build of %s as of %s: %s failed; %s\n  %s"
              .formatted(
                  view.name(),
                  asOf,
                  Plural.of(audited.failures().size(), "check"),
                  table
                      .main()
                      .map(snapshot -> "main stays at snapshot " + snapshot.snapshotId())
                      .orElse("nothing is published of it yet"),
                  String.join("\n  ", audited.failures())));
    }
    return audited.rows();
  }

  static Column isOf(Instant asOf) {
    return functions.col(FeatureView.EVENT_TIMESTAMP).equalTo(functions.lit(asOf));
  }

  private void report(FeatureView view, AsOfOutcome outcome, int number, int of) {
    String progress = of == 1 ? "" : "[%d/%d] ".formatted(number, of);
    if (!outcome.built()) {
      console.say("%s%s as of %s is up to date", progress, view.name(), outcome.asOf());
      return;
    }
    double seconds = outcome.took().toMillis() / 1000.0;
    console.say(
        "%s%s as of %s: %s%s in %.1f s (%,.0f rows/s), snapshot %d",
        progress,
        view.name(),
        outcome.asOf(),
        Plural.of(outcome.rows(), "row"),
        outcome.changed().map(", %,d changed,"::formatted).orElse(""),
        seconds,
        outcome.rows() / seconds,
        outcome.snapshotId());
  }
}
