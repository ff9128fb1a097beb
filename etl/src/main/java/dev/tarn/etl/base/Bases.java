package dev.tarn.etl.base;

import dev.tarn.cli.Plural;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.Base;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.Commits;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.definition.EventId;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.SnapshotRows;
import dev.tarn.etl.lake.TaskProgress;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.source.ReadFailures;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.CellRows;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.manifest.LiveBase;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.Values;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Computes the bases of live views from the event table: the cells of all events before its cut,
 * rounded down to whole segments. A new base is made of the newest one of its generation and the
 * events since; only rows that these change are written. Now and then, and for a new generation,
 * every row is.
 */
public final class Bases {

  private static final int ATTEMPTS = 5;

  /** The least number of Redis hashes that live cells are spread over. */
  private static final int LEAST_BUCKETS = 256;

  /**
   * The rules of bases.
   *
   * @param clockSkew the most that clocks may differ
   * @param maxChanges rows written since every row was written, as a share of those, from which on
   *     every row is written again
   * @param rowsPerBucket entities in a Redis hash of live cells, about
   */
  public record BaseSettings(Duration clockSkew, double maxChanges, int rowsPerBucket) {}

  private final Lake lake;
  private final VersionStore versions;
  private final BaseSettings settings;
  private final Console console;

  public Bases(Lake lake, VersionStore versions, BaseSettings settings, Console console) {
    this.lake = lake;
    this.versions = versions;
    this.settings = settings;
    this.console = console;
  }

  /**
   * Computes the newest base of a live view, if the event table has come on since the last one.
   *
   * @return the table whose main is that base
   * @throws TarnException if nothing was archived yet, or events can't be read
   */
  public FeatureTable refresh(FeatureView view) {
    for (int attempt = 1; ; attempt++) {
      try {
        return refreshOnce(view);
      } catch (TarnException e) {
        throw e;
      } catch (Exception e) { // Scala does not declare what it throws
        if (Commits.isOvertaken(e) && attempt < ATTEMPTS) {
          console.say("%s: another push has made a base first; once more", view.name());
          continue;
        }
        throw new TarnException(
            "%s: the base could not be computed; what was released stays released: %s"
                .formatted(view.name(), ReadFailures.reason(e)),
            e);
      }
    }
  }

  private FeatureTable refreshOnce(FeatureView view) throws Exception {
    Source source = view.windows().orElseThrow().source();
    StreamSource stream = source.stream().orElseThrow();
    EventTable events =
        EventTable.find(lake.catalog(), stream)
            .filter(found -> found.main().isPresent())
            .orElseThrow(() -> notArchived(view, source));
    Snapshot eventSnapshot = events.main().orElseThrow();
    LiveBase definition = LiveDefinition.of(view);
    Cut cut =
        Base.floor(
            events.cut(eventSnapshot).orElseThrow(() -> notArchived(view, source)),
            definition.getSegment());
    FeatureTable table =
        BaseTable.findOrCreate(
            lake.catalog(), view, SparkSchemaUtil.convert(CellRows.columns(view.entity())));
    BaseTable.define(table, definition.getGeneration(), LiveDefinition.stored(view));
    Optional<Snapshot> main = table.main();
    Optional<Base> newest = main.flatMap(Base::of);
    Optional<Base> before =
        newest.filter(base -> base.generation().equals(definition.getGeneration()));
    if (before.isPresent()) {
      requireSameTopic(view, source, before.get().cut(), cut);
      if (cut.isWithin(before.get().cut())) {
        return table;
      }
    }
    Instant now = Instant.now().truncatedTo(ChronoUnit.MICROS);
    Instant at = BaseTable.next(newest, now);
    boolean isWhole =
        before.isEmpty()
            || BaseTable.rowsSinceWhole(main.get(), before.get())
                > settings.maxChanges() * before.get().wholeRows();
    Cut from = before.map(Base::cut).orElseGet(() -> Cut.none(cut.topic(), cut.topicId()));
    SourceTables sources =
        SourceTables.open(lake.spark(), source, Optional.of(eventSnapshot.snapshotId()));
    sources =
        sources.filtered(source, EventCut.between(firstToRead(sources, source, from, cut), cut));
    Dataset<Row> rows =
        new CellRows(lake.spark(), sources, view)
            .of(
                definition,
                dev.tarn.live.Cut.of(from.offsets()),
                dev.tarn.live.Cut.of(cut.offsets()),
                before.map(base -> SnapshotRows.of(lake, table, main.get().snapshotId())),
                isWhole,
                at,
                Values.micros(now.minus(settings.clockSkew())));
    String branch = table.audits().create(at);
    boolean isPublished = false;
    try (Pulse pulse =
        TaskProgress.show(lake, console, view.name() + ": cells up to " + cut.shown())) {
      long written = write(table, branch, rows, isWhole, at);
      int buckets =
          before
              .map(Base::liveBuckets)
              .or(() -> liveBuckets(view, definition.getGeneration()))
              .orElseGet(() -> liveBuckets(written));
      BaseTable.publish(
          table,
          branch,
          new Base(
              definition.getGeneration(),
              view.definitionHash(),
              cut,
              eventSnapshot.snapshotId(),
              buckets,
              isWhole ? written : before.get().wholeRows(),
              at));
      isPublished = true;
      console.say(
          "%s: the cells of %s up to %s, of which %s",
          view.name(),
          isWhole ? "all entities" : "the entities with events since " + from.shown(),
          cut.shown(),
          Plural.of(written, "row") + Plural.choose(written, " was written", " were written"));
    } finally {
      if (!isPublished) {
        table.audits().remove(branch);
      }
    }
    return table;
  }

  /** Writes rows to the branch, in a snapshot that nobody may read, and counts them. */
  private static long write(
      FeatureTable table, String branch, Dataset<Row> rows, boolean isWhole, Instant at)
      throws Exception {
    DataFrameWriterV2<Row> writer =
        rows.writeTo(table.sqlName() + ".branch_" + branch)
            .option("snapshot-property." + FeatureTable.REPLACES, at.toString());
    if (isWhole) {
      writer.overwrite(functions.lit(true));
    } else {
      writer.append();
    }
    table.iceberg().refresh();
    Snapshot written = table.iceberg().snapshot(branch);
    return Long.parseLong(written.summary().getOrDefault("added-records", "0"));
  }

  /**
   * The offset of each partition from which on events are read. To tell whether a new event repeats
   * one, those that arrived within the horizon before it are needed, and all after these.
   */
  private static Map<Integer, Long> firstToRead(
      SourceTables sources, Source source, Cut from, Cut to) {
    SortedMap<Integer, Long> first = new TreeMap<>(from.offsets());
    if (source.eventId().isEmpty() || first.isEmpty()) {
      return first;
    }
    EventId id = source.eventId().get();
    Dataset<Row> stored = sources.rows(source);
    Column partition = functions.col(StreamSource.PARTITION);
    Column arrived = functions.col(StreamSource.ARRIVED_AT);
    Column isSince = functions.lit(false);
    for (Row row :
        stored
            .filter(EventCut.between(from.offsets(), to))
            .groupBy(partition)
            .agg(functions.min(arrived))
            .collectAsList()) {
      isSince =
          isSince.or(
              partition
                  .equalTo(row.getInt(0))
                  .and(arrived.geq(functions.lit(row.getInstant(1).minus(id.horizon())))));
    }
    stored
        .filter(EventCut.between(Map.of(), from).and(isSince))
        .groupBy(partition)
        .agg(functions.min(functions.col(StreamSource.OFFSET)))
        .collectAsList()
        .forEach(row -> first.put(row.getInt(0), row.getLong(1)));
    return first;
  }

  private Optional<Integer> liveBuckets(FeatureView view, String generation) {
    return versions.records(view.name()).stream()
        .filter(record -> record.getLive().getGeneration().equals(generation))
        .map(VersionRecord::getLive)
        .map(LiveBase::getLiveBuckets)
        .findFirst();
  }

  private int liveBuckets(long entities) {
    return Math.toIntExact(
        Math.max(LEAST_BUCKETS, 1 + Math.max(0, entities - 1) / settings.rowsPerBucket()));
  }

  private static void requireSameTopic(FeatureView view, Source source, Cut before, Cut now) {
    boolean isSame =
        before.topic().equals(now.topic())
            && (before.topicId().isEmpty()
                || now.topicId().isEmpty()
                || before.topicId().equals(now.topicId()));
    if (!isSame) {
      throw new TarnException(
          "%s: the newest base is of topic %s (%s), and the event table of source '%s' is of topic %s (%s): offsets mean other events now. Give the view another segment in live, so that its cells are made anew"
              .formatted(
                  view.name(),
                  before.topic(),
                  before.topicId(),
                  source.name(),
                  now.topic(),
                  now.topicId()));
    }
  }

  private static TarnException notArchived(FeatureView view, Source source) {
    return new TarnException(
        "%s: the base of a live view is computed from the event table of source '%s', and nothing has been archived yet: ./tarn archive source=%s"
            .formatted(view.name(), source.name(), source.name()));
  }
}
