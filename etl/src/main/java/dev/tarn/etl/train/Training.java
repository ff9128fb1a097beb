package dev.tarn.etl.train;

import dev.tarn.cli.CommandLine;
import dev.tarn.cli.Plural;
import dev.tarn.cli.Settings;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.catalog.TrainingSets;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.definition.Definitions;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.redis.RedisServers;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.release.ReleaseHistory;
import dev.tarn.etl.source.DatedTexts;
import dev.tarn.manifest.TrainingManifest;
import dev.tarn.manifest.TrainingSpine;
import dev.tarn.manifest.TrainingView;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Joins the features of a service to the rows of a spine, each as they were at its moment. Programs
 * call it in Java or through PySpark's gateway with a dataset; the command {@code train} reads the
 * spine from a file or table.
 */
public final class Training {

  // PySpark's gateway calls a method by its name alone and may find any of that name, so no other
  // method may be called join or again.

  /** The time column of a spine whose user does not name another. */
  private static final String TIME = "event_timestamp";

  private final Lake lake;
  private final Settings settings;
  private final Console console;

  public Training(Lake lake, Settings settings, Console console) {
    this.lake = lake;
    this.settings = settings;
    this.console = console;
  }

  /**
   * Joins the features of a service to a spine.
   *
   * @param spark anybody's session; the catalog {@code tarn} is added to it
   * @param spine has the entity's key columns and a time column
   * @param options arguments of {@code ./tarn train} ({@code time}, {@code at}, {@code at.VIEW},
   *     {@code as}, {@code stamp}, {@code vectors}) and settings of conf/tarn.conf, by name
   * @throws UsageException if the spine or the options don't fit
   */
  public static TrainingSet join(
      SparkSession spark, Dataset<Row> spine, String service, Map<String, String> options) {
    Map<String, String> all = new TreeMap<>(options);
    all.put("service", service);
    CommandLine line = line(all);
    for (String argument : List.of("spine", "out", "manifest", "overwrite")) {
      if (line.has(argument)) {
        throw new UsageException(
            "'%s' is no option here: the spine is given, and the set is saved by save(out)"
                .formatted(argument));
      }
    }
    Settings settings = Settings.load(line);
    return new Training(Lake.attach(spark, settings), settings, Console.silent())
        .newSet(line, Optional.of(spine));
  }

  /**
   * Makes a training set again.
   *
   * @param manifest the name of its file or of its folder, or its id
   * @param options {@code spine}, where the rows are now elsewhere, and settings
   */
  public static TrainingSet again(
      SparkSession spark, String manifest, Map<String, String> options) {
    Map<String, String> all = new TreeMap<>(options);
    all.put("manifest", manifest);
    CommandLine line = line(all);
    Settings settings = Settings.load(line);
    return new Training(Lake.attach(spark, settings), settings, Console.silent())
        .setAgain(line, Optional.empty());
  }

  private static CommandLine line(Map<String, String> options) {
    List<String> words = new ArrayList<>(List.of("train"));
    options.forEach((name, value) -> words.add(name + "=" + value));
    return CommandLine.parse(words.toArray(new String[0])).orElseThrow();
  }

  /** Joins a new set. The spine is the one that is given, or that of {@code spine=}. */
  public TrainingSet newSet(CommandLine line, Optional<Dataset<Row>> given) {
    Definitions definitions = Definitions.load(settings);
    Plan.TrainRequest request =
        new Plan.TrainRequest(
            line.text("service"),
            new Plan.At(line.optional("at"), line.byView("at")),
            as(line),
            line.flag("vectors"),
            arguments(line));
    boolean isServed = request.as() == Plan.As.SERVED;
    boolean hasStamps = line.has("stamp");
    if (hasStamps && !isServed) {
      throw new UsageException(
          "stamp= says what rows were answered from, which as=served reads: add as=served");
    }
    if (hasStamps && line.has("time")) {
      throw new UsageException("stamp= says the time of each row, too: leave out time=");
    }
    if (isServed && (line.has("at") || !line.byView("at").isEmpty())) {
      throw new UsageException(
          "at= pins what is read, and as=served reads what was released: give one of the two");
    }
    Entity entity = definitions.service(request.service()).entity();
    String time = line.optional("time").orElse(TIME);
    SpineSource source =
        given
            .map(rows -> SpineSource.given(lake.adopt(rows), line))
            .orElseGet(
                () ->
                    SpineSource.open(
                        lake.spark(), line.text("spine"), entity, time, SpineTypes.asked(line)));
    Spine spine =
        spine(
            chosen(source, line.optional("where")),
            entity,
            hasStamps ? line.text("stamp") : time,
            hasStamps);
    Optional<ReleaseHistory> history = isServed ? Optional.of(releases()) : Optional.empty();
    TrainingSpine stored = spine.stored(source);
    TrainingManifest manifest =
        new Plan(lake, definitions, console).of(spine, stored, request, history);
    return new TrainingSet(lake, spine, manifest, false);
  }

  /**
   * Makes a set again from its manifest, with the spine that the manifest names, one that is given,
   * or one at another place.
   */
  public TrainingSet setAgain(CommandLine line, Optional<Dataset<Row>> given) {
    for (String argument :
        List.of("service", "time", "types", "options", "at", "as", "stamp", "vectors")) {
      if (line.has(argument) || !line.byView(argument).isEmpty()) {
        throw new UsageException(
            "%s= is in the manifest already: a set is made again as it was".formatted(argument));
      }
    }
    TrainingManifest manifest = new TrainingSets(lake.catalog()).find(line.text("manifest"));
    TrainingSpine stored = manifest.getSpine();
    if (given.isEmpty() && !line.has("spine") && stored.getLocation().isEmpty()) {
      throw new UsageException(
          "the spine of %s was given by a program: say spine=… where its rows are"
              .formatted(manifest.getId()));
    }
    List<Entity> entities = new ArrayList<>();
    for (TrainingView view : manifest.getViewsList()) {
      if (view.hasEvents()) {
        entities.add(ViewEvents.entity(view));
        continue;
      }
      if (view.hasLive()) {
        entities.add(new ServedView(lake, view).entity());
        continue;
      }
      ViewTable table = ViewTable.of(lake, view);
      view.getReadingsList().forEach(reading -> table.snapshot(reading.getSnapshotId()));
      entities.add(table.entity());
    }
    Entity entity = entities.get(0);
    SpineSource source =
        given
            .map(rows -> SpineSource.given(lake.adopt(rows), line))
            .orElseGet(
                () ->
                    SpineSource.openAgain(lake.spark(), line.optional("spine"), entity, manifest));
    Spine spine = spine(source, entity, stored.getTimeColumn(), stored.getStamps());
    if (!spine.fingerprint().equals(stored.getFingerprint())) {
      throw new UsageException(
          "the spine %s is not the one that the set was made with: it has %s, and that had %s"
              .formatted(
                  source.location(),
                  Plural.of(spine.count(), "row"),
                  spine.count() == stored.getRows()
                      ? "as many, with other values or columns"
                      : "%,d".formatted(stored.getRows())));
    }
    return new TrainingSet(lake, spine, manifest, true);
  }

  private static SpineSource chosen(SpineSource source, Optional<String> where) {
    if (where.isEmpty()) {
      return source;
    }
    try {
      return source.with(DatedTexts.required(source.rows().filter(where.get())));
    } catch (Exception e) { // Scala does not declare AnalysisException and ParseException
      throw new UsageException(
          "where=%s is no condition on the spine's columns: %s"
              .formatted(where.get(), Causes.reason(e)),
          e);
    }
  }

  private static Spine spine(SpineSource source, Entity entity, String time, boolean hasStamps) {
    String name = source.location().isEmpty() ? "the spine" : "spine=" + source.location();
    try {
      return Spine.of(name, source.rows(), entity, time, hasStamps);
    } catch (UsageException e) {
      throw e;
    } catch (Exception e) { // Scala does not declare what it throws
      throw SpineSource.unreadable(source.location(), e);
    }
  }

  /** The history with all releases, including those that only Redis has noted yet. */
  private ReleaseHistory releases() {
    ReleaseHistory history = ReleaseHistory.open(lake.catalog());
    history.take(new VersionStore(RedisServers.connect(settings)));
    return history;
  }

  private static Plan.As as(CommandLine line) {
    Optional<String> as = line.optional("as");
    if (as.isEmpty()) {
      return Plan.As.EVENT_TIME;
    }
    return switch (as.get()) {
      case "known" -> Plan.As.KNOWN;
      case "built" -> Plan.As.BUILT;
      case "served" -> Plan.As.SERVED;
      default ->
          throw new UsageException(
              "as=%s: there are known, built and served; without it features are joined by event time"
                  .formatted(as.get()));
    };
  }

  private static Map<String, String> arguments(CommandLine line) {
    Map<String, String> arguments = new TreeMap<>();
    for (String name :
        List.of("service", "time", "types", "options", "at", "as", "stamp", "vectors")) {
      line.optional(name).ifPresent(value -> arguments.put(name, value));
    }
    line.byView("at").forEach((view, value) -> arguments.put("at." + view, value));
    return arguments;
  }
}
