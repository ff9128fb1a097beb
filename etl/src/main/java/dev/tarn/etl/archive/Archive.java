package dev.tarn.etl.archive;

import com.google.gson.Gson;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.archive.RoundPlan.Range;
import dev.tarn.etl.catalog.Commits;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.console.Pulse;
import dev.tarn.etl.console.TarnVersion;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.StreamSource;
import dev.tarn.etl.input.InputException;
import dev.tarn.etl.input.MessageFormat;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.lake.TaskProgress;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.iceberg.util.SnapshotUtil;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * Copies the events of a stream source from its topic to its event table, in rounds. A round reads
 * the offsets from the table's newest cut on, writes them to an audit branch together with the cut
 * that they reach, and publishes both in one commit: main moves only if it is still where the round
 * began. So whatever is killed, repeated or done by two at once, each offset is there once.
 */
public final class Archive {

  /** Rounds of others that may come first before a run gives up. */
  private static final int MOST_OVERTAKEN = 20;

  /** Messages that a share is told of at least. */
  private static final long FEW_MESSAGES = 100;

  private static final int EXAMPLES = 3;

  /** Spark's words where a topic has deleted offsets since the round was planned. */
  private static final String DATA_LOSS = "Some data may have been lost";

  private static final Gson GSON = new Gson();

  /**
   * How a run treats what else would end it.
   *
   * @param skipsLost offsets that the topic has lost are passed over
   * @param acceptsChanges what somebody else did to the event table is right
   */
  public record Request(boolean skipsLost, boolean acceptsChanges) {}

  /**
   * The result of a run.
   *
   * @param rounds number of commits
   * @param lost offsets that were passed over
   * @param snapshotId that of main
   */
  public record Outcome(
      int rounds, long events, long undecoded, long lost, Cut cut, long snapshotId, Duration took) {

    private Outcome plus(Outcome next) {
      return new Outcome(
          rounds + next.rounds,
          events + next.events,
          undecoded + next.undecoded,
          lost + next.lost,
          next.cut,
          next.snapshotId,
          took.plus(next.took));
    }
  }

  /** The event table as a round has found it. */
  private record Base(Optional<Snapshot> main, Optional<Cut> cut, boolean mustCommit) {}

  /** A round; of one that had nothing to do {@code rounds} is 0. */
  private record Written(long events, long undecoded, long snapshotId) {}

  private final Lake lake;
  private final SparkSession spark;
  private final Console console;
  private final Source source;
  private final StreamSource stream;
  private final Request request;
  private final ArchiveSettings settings;
  private final KafkaSettings kafka;
  private final MessageFormat format;
  private final TopicMessages messages;
  private final UndecodedTable undecoded;
  private final Schema schema;

  /**
   * Prepares a run.
   *
   * @param source a stream source
   */
  public Archive(Lake lake, Settings settings, Console console, Source source, Request request) {
    this.lake = lake;
    this.spark = lake.spark();
    this.console = console;
    this.source = source;
    this.stream = source.stream().orElseThrow();
    this.request = request;
    this.settings = settings.read(ArchiveSettings::of);
    this.kafka = settings.read(KafkaSettings::of);
    this.format = format(source);
    this.messages = new TopicMessages(spark, kafka, stream.topic());
    this.undecoded = new UndecodedTable(lake.catalog(), stream);
    this.schema = SparkSchemaUtil.convert(source.columns().orElseThrow());
  }

  private static MessageFormat format(Source source) {
    try {
      return MessageFormat.of(source);
    } catch (InputException e) {
      throw new TarnException(
          "%s: source '%s': %s".formatted(source.position(), source.name(), e.getMessage()), e);
    }
  }

  /** Copies what the topic has by now. */
  public Outcome copy() {
    return copy(new StopSignal());
  }

  /** Copies what comes, again and again, until it is to stop. */
  public Outcome follow(Duration every, StopSignal stop) {
    Outcome all = copy(stop);
    while (!stop.isAsked()) {
      stop.await(every);
      if (!stop.isAsked()) {
        all = all.plus(copy(stop));
      }
    }
    return all;
  }

  private Outcome copy(StopSignal stop) {
    try (TopicClient client = new TopicClient(kafka, stream.topic())) {
      Map<Integer, Long> until = client.state().ends();
      Outcome all = round(client, until);
      while (all.rounds() > 0 && !stop.isAsked()) {
        Outcome next = round(client, until);
        all = all.plus(next);
        if (next.rounds() == 0) {
          break;
        }
      }
      return all;
    }
  }

  /** One round; once more on top of what others have published meanwhile. */
  private Outcome round(TopicClient client, Map<Integer, Long> until) {
    for (int attempt = 1; ; attempt++) {
      try {
        return tryRound(client, until);
      } catch (TarnException e) {
        throw e;
      } catch (Exception e) { // Scala does not declare what Spark throws
        boolean isLost = Causes.says(e, DATA_LOSS);
        if (isLost || !Commits.isOvertaken(e)) {
          TarnException explained = explained(client, until, e);
          if (!isLost || attempt == MOST_OVERTAKEN) {
            throw explained;
          }
        } else if (attempt == MOST_OVERTAKEN) {
          throw new TarnException(
              "source '%s': others have changed %s %d times while this run copied; is it archived by several runs at once? One is enough"
                  .formatted(source.name(), source.location(), attempt),
              e);
        }
      }
    }
  }

  private TarnException explained(TopicClient client, Map<Integer, Long> until, Exception e) {
    // What was there when the round began may be lost meanwhile: that is told with the offsets.
    Optional<EventTable> table = EventTable.find(lake.catalog(), stream);
    Optional<Cut> cut = table.flatMap(found -> found.main().flatMap(found::cut));
    RoundPlan.of(source.name(), cut, client.state(), until, 1, request.skipsLost());
    return new TarnException(
        "source '%s' can't be archived: %s; %s stays as it was"
            .formatted(source.name(), Causes.reason(e), source.location()),
        e);
  }

  private Outcome tryRound(TopicClient client, Map<Integer, Long> until) throws Exception {
    Instant start = Instant.now();
    EventTable table = EventTable.findOrCreate(lake.catalog(), source, schema);
    table.requireSafe(source, schema);
    // Before the cut is read: see UndecodedTable.
    Optional<Long> undecodedMain = undecoded.main();
    Base base = base(table);
    RoundPlan plan =
        RoundPlan.of(
            source.name(),
            base.cut(),
            client.state(),
            until,
            settings.maxMessages(),
            request.skipsLost());
    if (plan.ranges().isEmpty() && plan.lost().isEmpty() && !base.mustCommit()) {
      long snapshot = base.main().orElseThrow().snapshotId();
      Cut cut = base.cut().orElseThrow();
      console.say("%s is up to date: %s", source.name(), cut.shown());
      return new Outcome(0, 0, 0, 0, cut, snapshot, Duration.between(start, Instant.now()));
    }
    Written written = write(table, base, plan, undecodedMain);
    Outcome outcome =
        new Outcome(
            1,
            written.events(),
            written.undecoded(),
            plan.lost().stream().mapToLong(Range::size).sum(),
            plan.to(),
            written.snapshotId(),
            Duration.between(start, Instant.now()));
    report(plan, outcome);
    return outcome;
  }

  /** Where the round begins. Refuses what somebody else did to the table. */
  private Base base(EventTable table) {
    Optional<Snapshot> main = table.main();
    if (main.isEmpty()) {
      return new Base(main, Optional.empty(), true);
    }
    Optional<Cut> cut = table.cut(main.get());
    List<Snapshot> foreign = table.foreign(main.get());
    if (!foreign.isEmpty()) {
      String problem = new EventTableCheck(lake, source, table, undecoded).ofForeign(foreign);
      if (!request.acceptsChanges()) {
        throw new TarnException(problem);
      }
      console.say("%s; accepted", problem);
    }
    if (cut.isEmpty()) {
      // Somebody has expired the snapshot that had it, or made the table.
      cut = Optional.of(new EventTableCheck(lake, source, table, undecoded).cutOfRows());
      console.say(
          "%s has no cut; it goes on after its greatest offsets: %s",
          table.sqlName(), cut.get().shown());
      return new Base(main, cut, true);
    }
    return new Base(main, cut, !foreign.isEmpty());
  }

  private Written write(EventTable table, Base base, RoundPlan plan, Optional<Long> undecodedMain)
      throws Exception {
    String branch = branch(table, base);
    Optional<UndecodedTable.Written> beside = Optional.empty();
    boolean isPublished = false;
    try (Pulse progress =
        TaskProgress.show(
            lake, console, "%s: %s".formatted(source.name(), Plural.of(plan.size(), "message")))) {
      table.follow(source, schema);
      LongAccumulator failures = spark.sparkContext().longAccumulator();
      writeEvents(table, branch, plan, failures);
      table.iceberg().refresh();
      long events = UndecodedTable.added(table.iceberg().snapshot(branch));
      Cut from = base.cut().orElseGet(() -> Cut.none(stream.topic(), plan.to().topicId()));
      if (failures.value() > 0 || undecoded.hasLeftovers(undecodedMain, from)) {
        beside =
            Optional.of(
                undecoded.write(
                    undecodedMain,
                    from,
                    plan.to(),
                    Optional.of(plan)
                        .filter(p -> failures.value() > 0)
                        .map(
                            p ->
                                messages.decoded(
                                    p.ranges(), Decoding.undecoded(format), Decoding.UNDECODED))));
      }
      long undecodable = beside.map(UndecodedTable.Written::rows).orElse(0L);
      if (undecodable > 0) {
        requireFew(table, base, events, undecodable, beside.orElseThrow());
        append(table, branch, summary(plan, undecodable));
      }
      beside.ifPresent(UndecodedTable.Written::publish);
      table.iceberg().refresh();
      long snapshot = table.iceberg().snapshot(branch).snapshotId();
      publish(table, branch, snapshot);
      isPublished = true;
      return new Written(events, undecodable, snapshot);
    } finally {
      if (!isPublished) {
        beside.ifPresent(UndecodedTable.Written::remove);
        table.audits().remove(branch);
      }
    }
  }

  /** A branch of the very snapshot whose cut the round has read. */
  private static String branch(EventTable table, Base base) {
    if (base.main().isPresent()) {
      return table.audits().create(Instant.now(), base.main().get().snapshotId());
    }
    String branch = table.audits().create(Instant.now());
    if (table.main().isPresent()) {
      table.audits().remove(branch);
      throw new CommitFailedException("somebody else has made %s", table.sqlName());
    }
    return branch;
  }

  private void writeEvents(
      EventTable table, String branch, RoundPlan plan, LongAccumulator failures) throws Exception {
    Map<String, String> summary = summary(plan, 0);
    if (plan.ranges().isEmpty()) {
      append(table, branch, summary);
      return;
    }
    StructType columns = source.columns().orElseThrow();
    Dataset<Row> events =
        messages.decoded(plan.ranges(), Decoding.events(format, failures), columns);
    DataFrameWriterV2<Row> writer =
        asStored(events, spark.table(table.sqlName()).schema())
            .writeTo(table.sqlName() + ".branch_" + branch);
    for (Map.Entry<String, String> entry : summary.entrySet()) {
      writer = writer.option("snapshot-property." + entry.getKey(), entry.getValue());
    }
    writer.append();
  }

  /** All columns of the table: null where the definition has one no more. */
  private static Dataset<Row> asStored(Dataset<Row> events, StructType stored) {
    List<String> names = Arrays.asList(events.columns());
    Column[] columns =
        Arrays.stream(stored.fields())
            .map(
                (StructField field) ->
                    names.contains(field.name())
                        ? functions.col("`" + field.name() + "`")
                        : functions.lit(null).cast(field.dataType()).as(field.name()))
            .toArray(Column[]::new);
    return events.select(columns);
  }

  private static void append(EventTable table, String branch, Map<String, String> summary) {
    AppendFiles append = table.iceberg().newAppend().toBranch(branch);
    summary.forEach(append::set);
    append.commit();
  }

  private static Map<String, String> summary(RoundPlan plan, long undecodable) {
    Map<String, String> summary = new TreeMap<>();
    summary.put(EventTable.CUT, plan.to().json());
    summary.put(FeatureTable.TARN_VERSION, TarnVersion.current());
    if (undecodable > 0) {
      summary.put(EventTable.UNDECODED, Long.toString(undecodable));
    }
    if (!plan.lost().isEmpty()) {
      summary.put(EventTable.LOST, GSON.toJson(plan.lost()));
    }
    return summary;
  }

  /** Moves main to the branch. The catalog's answer may be lost although it has done so. */
  private static void publish(EventTable table, String branch, long snapshot) {
    try {
      table.audits().publish(branch, snapshot);
    } catch (RuntimeException e) {
      Optional<Snapshot> main = table.main();
      boolean isThere =
          main.isPresent()
              && SnapshotUtil.isAncestorOf(table.iceberg(), main.get().snapshotId(), snapshot);
      if (!isThere) {
        throw e;
      }
    }
  }

  /**
   * Refuses a round of which too much can't be decoded. Small rounds count together with those
   * before them, and a round that is right itself always goes on.
   */
  private void requireFew(
      EventTable table, Base base, long events, long undecodable, UndecodedTable.Written beside) {
    if (undecodable <= settings.maxUndecoded() * (events + undecodable)) {
      return;
    }
    long all = events + undecodable;
    long bad = undecodable;
    if (base.main().isPresent()) {
      for (Snapshot before :
          SnapshotUtil.ancestorsOf(base.main().get().snapshotId(), table.iceberg()::snapshot)) {
        if (all >= FEW_MESSAGES) {
          break;
        }
        if (before.summary().containsKey(EventTable.CUT)) {
          long then = Long.parseLong(before.summary().getOrDefault(EventTable.UNDECODED, "0"));
          all += then + UndecodedTable.added(before);
          bad += then;
        }
      }
    }
    if (all < FEW_MESSAGES || bad <= settings.maxUndecoded() * all) {
      return;
    }
    String examples =
        undecoded
            .examples(spark.table(undecoded.sqlName() + ".branch_" + beside.branch()), EXAMPLES)
            .stream()
            .collect(Collectors.joining("\n  ", "\n  ", ""));
    throw new TarnException(
        "source '%s': %,d of %,d messages can't be decoded, and at most %s of them may be (setting archive.max-undecoded). Nothing of this round is published, and %s stays as it was. Put the definition or the producer right, or let them go to %s with archive.max-undecoded=1. The first ones:%s"
            .formatted(
                source.name(),
                bad,
                all,
                share(settings.maxUndecoded()),
                table.sqlName(),
                undecoded.sqlName(),
                examples));
  }

  private static String share(double share) {
    return "%.4g %%".formatted(100 * share).replaceAll("\\.?0+ %", " %");
  }

  private void report(RoundPlan plan, Outcome outcome) {
    double seconds = Math.max(1, outcome.took().toMillis()) / 1000.0;
    console.say(
        "%s: %s%s%s in %.1f s (%,.0f rows/s), cut %s, snapshot %d",
        source.name(),
        Plural.of(outcome.events(), "event"),
        outcome.undecoded() == 0
            ? ""
            : ", %s to %s"
                .formatted(Plural.of(outcome.undecoded(), "message"), undecoded.sqlName()),
        plan.lost().isEmpty()
            ? ""
            : ", without what the topic has lost (%s)"
                .formatted(
                    plan.lost().stream().map(Range::toString).collect(Collectors.joining("; "))),
        seconds,
        outcome.events() / seconds,
        outcome.cut().shown(),
        outcome.snapshotId());
  }
}
