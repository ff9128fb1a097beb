package dev.tarn.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Every command of {@code ./tarn} with its arguments and its help, in the order in which a newcomer
 * meets them.
 */
public enum Command {
  DEMO(
      "show all of Tarn in two minutes: make events, build, push, serve, look up, compare",
      optional("rows", "events to make (default 1000000)"),
      optional("users", "users who make them (default rows / 20)"),
      optional("seed", "a number; another one makes other events (default 1)")),
  DEMO_LIVE(
      "show live features: payments that flow, counts that follow, a push, a rollback, stamps",
      optional("rate", "payments a second, up to 2000 (default 200)"),
      optional("seconds", "seconds to watch, from 5 to 300 (default 20)")),
  UP("start a local Redis, which keeps its data in .tarn/"),
  DOWN("stop the local Redis and the local server"),
  VALIDATE(
      "check all definitions without computing anything; errors name file and line",
      optional("out", "a file to write the views and services to, as JSON")),
  ARCHIVE(
      "copy the events of a stream source from Kafka to its event table, each once",
      required("source", "the stream source"),
      optional("every", "go on and on, with this pause: 30s, 5m (default: up to the topic's end)"),
      optional("skip-lost", "true: go on without offsets that the topic has lost"),
      optional("accept", "true: what somebody else did to the event table is right"),
      optional("check", "true: copy nothing; say whether each offset is there once"),
      optional("format", "table (default) or json")),
  BUILD(
      "compute feature views for one as-of or a range, and publish them in Iceberg",
      optional("view", "the feature view"),
      optional("views", "several feature views, separated by commas, or all"),
      optional("as-of", "the moment, e.g. 2026-11-20 or 2026-11-20T06:00:00Z"),
      optional("from", "the first as-of of a range (in place of as-of)"),
      optional("to", "the last as-of of the range"),
      optional("every", "the step of the range: 30m, 6h, 1d, 1w, 1mo, 1y (default 1d)"),
      optional("rebuild", "true: build also the as-ofs of the range that are up to date"),
      optional("format", "table (default) or json")),
  PUSH(
      "copy a snapshot of a feature table to Redis as a new version, and release it",
      optional("view", "the feature view"),
      optional(
          "views", "several feature views, separated by commas, to release in the same instant"),
      optional("snapshot", "an Iceberg snapshot id or tag (default: the newest of main)"),
      optional("mode", "full, delta (what has changed) or auto (default): delta if it is small"),
      optional("format", "table (default) or json")),
  LIVE(
      "follow the topics of live views, and keep their cells in Redis until it is stopped",
      optional("views", "the live views, separated by commas (default: all of them)")),
  VERIFY(
      "compare the released version with its snapshot: every row, counts and statistics",
      required("view", "the feature view"),
      optional("version", "a kept version (default: the released one)"),
      optional("sample", "a share of the entities, e.g. 0.01 (default: all)"),
      optional("show", "the most differing entities to name (default 20)"),
      optional("report", "a file for a page with tables and plots, e.g. score.html"),
      optional("format", "table (default) or json")),
  ROLLBACK(
      "release an older version again, and pin the view to it",
      required("view", "the feature view"),
      optional("version", "a kept version (default: the one before the released one)"),
      optional(
          "snapshot", "an Iceberg snapshot id or tag; it is pushed again if it is no longer kept")),
  UNPIN("let pushes release a view again after a rollback", required("view", "the feature view")),
  VERSIONS(
      "list what is released and what is kept, since when and from which snapshot",
      optional("view", "only this feature view"),
      optional("format", "table (default) or json")),
  WITHDRAW(
      "take a feature view out of Redis: its release, its pin and all its versions",
      required("view", "the feature view; its definition may be gone already"),
      optional("dry-run", "true: say what would happen, and change nothing"),
      optional("format", "table (default) or json")),
  DROP(
      "take one as-of out of a feature table's main, in one commit",
      required("view", "the feature view"),
      required("as-of", "the as-of, e.g. 2026-11-20 or 2026-11-20T06:00:00Z"),
      optional("dry-run", "true: say what would happen, and change nothing"),
      optional("format", "table (default) or json")),
  EXPIRE(
      "remove old snapshots and files that nothing needs, and what dead jobs left",
      optional("view", "only this feature view (and Tarn's own tables)"),
      optional("older-than", "the age of what is removed, e.g. 90d or 12h (default 30d)"),
      optional("format", "table (default) or json")),
  TRAIN(
      "join the features of a feature service to labelled rows, as they were at each row's time",
      optional("spine", "the rows: Parquet or CSV (file, folder) or an Iceberg table"),
      optional("service", "the feature service"),
      optional("out", "a new folder (Parquet) or Iceberg table for the training set"),
      optional("time", "the spine's time column (default event_timestamp)"),
      optional(
          "types",
          "types of a CSV spine's columns, e.g. \"zip string, label int\" (default: text)"),
      optional("options", "how a CSV spine is written, e.g. \"sep = ;, encoding = ISO-8859-1\""),
      optional("at", "read each view as it was at a snapshot id, a tag or a time (default: now)"),
      optional("at.VIEW", "the same for one feature view, e.g. at.user_activity"),
      optional(
          "as",
          "known: only events that had arrived; built: window views from their tables; served: what lookups answered from"),
      optional("stamp", "with as=served: the spine's column with the stamp of each row's answer"),
      optional("vectors", "true: write the service's float32 vectors in place of its features"),
      optional("manifest", "its _manifest.json or its id: make this training set again"),
      optional("overwrite", "true: replace the training set at out"),
      optional("format", "table (default) or json")),
  MANIFESTS(
      "list the training sets whose snapshots are kept",
      optional("all", "true: list also the retired ones"),
      optional("format", "table (default) or json")),
  RETIRE(
      "say that a training set need not be made again, so that its snapshots may expire",
      required("manifest", "the training set's id or its _manifest.json")),
  FIT(
      "fit the transforms of a feature service, and tell the servers",
      required("service", "the feature service"),
      optional(
          "snapshot",
          "Iceberg snapshot ids or tags, separated by commas (default: the released ones)"),
      optional("spine", "fit on the features of these rows, joined as train does"),
      optional("where", "with spine=: a condition in SQL, e.g. \"split = 'train'\""),
      optional("time", "with spine=: as in train"),
      optional("types", "with spine=: as in train"),
      optional("options", "with spine=: as in train"),
      optional("at", "with spine=: as in train"),
      optional("at.VIEW", "with spine=: as in train"),
      optional("as", "with spine=: as in train"),
      optional("format", "table (default) or json")),
  SERVE("start the server: answer lookups over gRPC until it is stopped"),
  GET(
      "look up entities on the server, or in Iceberg with snapshot= or stamp=",
      required("ids", "entity ids, separated by commas; or [\"a,b\", \"c\"]"),
      optional(
          "entity",
          "the entity of the ids (default: serving.default-entity, or the one released first)"),
      optional("features", "names of features, separated by commas (default: all)"),
      optional("view", "with snapshot=: the feature view"),
      optional("snapshot", "an Iceberg snapshot id or tag to answer from, in place of the server"),
      optional(
          "stamp",
          "the stamp of an answer, base64url or hex: give the same values again from Iceberg"),
      optional("every", "ask a server again and again, with this pause: 1s, 5m (default: once)"),
      optional("format", "table (default) or json"),
      optional("target", "host:port of the server (default: localhost and serving.port)"),
      optional("ca", "for a server with TLS: a PEM file with the certificates to trust"),
      optional("cert", "a PEM file with the certificate to show to it"),
      optional("key", "a PEM file with the key of that certificate")),
  BENCH_PUSH(
      "measure pushes beside other ways to write the same rows",
      optional("rows", "entities (default 1000000)"),
      optional("features", "features of each entity (default 10)"),
      optional("width", "bytes of each string feature (default 0: only doubles and longs)"),
      optional("runs", "measured runs of each way, after one to warm up (default 5)"),
      optional("rivals", "false: measure Tarn only (default true)"),
      figures()),
  BENCH_LOOKUP(
      "measure lookups beside the least that a server can do",
      optional("entities", "entities (default 100000)"),
      optional(
          "features",
          "features of each entity; several numbers, separated by commas (default 10,50)"),
      optional("seconds", "seconds of each run at half of saturation (default 10)"),
      optional("minutes", "minutes of a last, long run at half of saturation (default 1; 0: none)"),
      optional(
          "near-cache", "true (default), false, or only: measure just what the near cache gains"),
      optional("live", "true (default), false, or only: measure just live features beside others"),
      figures()),
  BENCH_TRAIN(
      "measure training reads beside other ways to join the same tables",
      optional("rows", "rows of the spine (default 2000000)"),
      optional("entities", "entities in each as-of (default 1000000)"),
      optional(
          "as-ofs",
          "as-ofs in the history; several numbers, separated by commas (default 5,20,100)"),
      optional("wide", "those of as-ofs to measure with four views too (default: those up to 20)"),
      optional("patience", "seconds after which a slow way is stopped (default 600)"),
      optional("features", "features of each view (default 5)"),
      optional("hot", "rows of one entity, measured by itself (default 1000000; 0: none)"),
      optional("runs", "measured runs of each way, after one to warm up (default 3)"),
      optional("rivals", "false: measure Tarn only (default true)"),
      figures()),
  BENCH_WINDOWS(
      "measure windows over events beside what Spark SQL offers for the same",
      optional("rows", "rows of the spine (default 1000000)"),
      optional("events", "events, spread over 60 days (default 10000000)"),
      optional("entities", "entities that have them (default 200000)"),
      optional(
          "skew", "1: each has as many; 2 (default): the k-th has a share in proportion to 1 / √k"),
      optional("join-rows", "rows of the spine for Spark's range join (default: all)"),
      optional("as-ofs", "daily as-ofs to build in one run (default 30, at most 60; 0: none)"),
      optional("messages", "messages of a topic to archive (default 2000000; 0: none)"),
      optional(
          "hot", "events and rows of one entity, measured by itself (default 1000000; 0: none)"),
      optional("patience", "seconds after which a slow way is stopped (default 600)"),
      optional("runs", "measured runs of each way, after one to warm up (default 3)"),
      optional("rivals", "false: measure Tarn only (default true)"),
      figures()),
  BENCH_LIVE(
      "measure live features: how fresh answers are, events a second, memory",
      optional("entities", "entities that have events (default 100000)"),
      optional("events", "events to catch up with after a stop (default 1000000)"),
      optional("seconds", "seconds of each measurement at a rate (default 20)"),
      optional("rate", "events a second (default 2000)"),
      optional("faster-rate", "events a second of a second measurement (default 10000)"),
      optional("rivals", "false: measure Tarn only (default true)"),
      figures()),
  BENCH_LAWS(
      "try to break the laws of live features, and ask every answer again from Iceberg",
      optional("answers", "stamped answers to ask for and to ask again (default 1000000; 0: none)"),
      optional("swaps", "pushes and rollbacks while events flow (default 200; 0: none)"),
      optional("entities", "entities that have events (default 5000)"),
      optional("rate", "events a second (default 2000)"),
      figures()),
  BENCH_FAULTS(
      "kill pushes, Redis and connections at random moments, and check every answer",
      optional("part", "pushes (default), or live: all that is on an event's way into an answer"),
      optional(
          "kills",
          "of pushes: pushes to kill (default 100), half as many other faults come with them; of live: faults (default 200)"),
      optional("seed", "a number; another one gives other moments and another order (default 1)"),
      optional("minutes", "minutes after which no more fault begins (default 30; of live: 60)"),
      figures()),
  BENCH_CLIENT(
      "measure the Python client: vectors and get, for 1, 10 and 100 entities",
      optional("entities", "entities to ask for (default 20000)"),
      optional("seconds", "seconds of each measurement in each run (default 3)"),
      optional("runs", "measured runs, after one to warm up (default 3)"),
      figures());

  /** One {@code name=value} of a command. */
  public record Argument(String name, boolean isRequired, String help) {}

  private static final String OF_VIEW = ".VIEW";
  private static final int VIEW_LENGTH = "VIEW".length();

  private final String summary;

  @SuppressWarnings("ImmutableEnumChecker") // an unmodifiable list of records of text
  private final List<Argument> arguments;

  Command(String summary, Argument... arguments) {
    this.summary = summary;
    this.arguments = List.of(arguments);
  }

  public List<Argument> arguments() {
    return arguments;
  }

  /** Finds the argument of a name; {@code at.VIEW} is the argument of {@code at.} and any view. */
  Optional<Argument> argument(String name) {
    return arguments.stream()
        .filter(
            argument ->
                argument.name().endsWith(OF_VIEW)
                    ? name.length() > argument.name().length() - VIEW_LENGTH
                        && name.startsWith(
                            argument.name().substring(0, argument.name().length() - VIEW_LENGTH))
                    : argument.name().equals(name))
        .findFirst();
  }

  /** Returns the command as it is typed. */
  public String word() {
    return name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
  }

  static Optional<Command> of(String word) {
    return Stream.of(values()).filter(command -> command.word().equals(word)).findFirst();
  }

  static List<String> words() {
    return Stream.of(values()).map(Command::word).toList();
  }

  /** Returns what {@code ./tarn help} prints. */
  static String overview() {
    List<String> lines = new ArrayList<>();
    lines.add("usage: ./tarn <command> [name=value ...]");
    lines.add("");
    for (Command command : values()) {
      lines.add("  %-12s %s".formatted(command.word(), command.summary));
    }
    lines.add("");
    lines.add(
        "./tarn <command> help shows the arguments of a command. Any setting of conf/tarn.conf");
    lines.add("can be given too, e.g. redis.port=6379. Exit status: 0 done, 1 failed, 2 bad use.");
    return String.join("\n", lines);
  }

  /** Returns what {@code ./tarn <command> help} prints. */
  String help() {
    List<String> lines = new ArrayList<>();
    StringBuilder usage = new StringBuilder("usage: ./tarn " + word());
    for (Argument argument : arguments) {
      String form = argument.name() + "=…";
      usage.append(argument.isRequired() ? " " + form : " [" + form + "]");
    }
    lines.add(usage + " [setting=value ...]");
    lines.add("");
    lines.add(summary);
    if (!arguments.isEmpty()) {
      lines.add("");
    }
    for (Argument argument : arguments) {
      lines.add("  %-9s %s".formatted(argument.name(), argument.help()));
    }
    return String.join("\n", lines);
  }

  private static Argument required(String name, String help) {
    return new Argument(name, true, help);
  }

  private static Argument optional(String name, String help) {
    return new Argument(name, false, help);
  }

  private static Argument figures() {
    return optional("format", "table (default), or json: one object with all figures and aims");
  }
}
