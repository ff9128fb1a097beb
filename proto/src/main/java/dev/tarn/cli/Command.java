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
      "make events, build, push, release, serve, look up, compare: all of Tarn in two minutes",
      optional("rows", "events to make (default 1000000)"),
      optional("users", "users that make them (default rows / 20)"),
      optional("seed", "another seed makes other events (default 1)")),
  UP("start a local Redis that keeps its data under .tarn/"),
  DOWN("stop the local Redis and the local server"),
  VALIDATE(
      "check all definitions, with file and line, without computing anything",
      optional("out", "a file to write them to as JSON, for those who don't read HOCON")),
  BUILD(
      "compute a feature view for one as-of or a range and publish it in Iceberg",
      required("view", "the feature view"),
      optional("as-of", "the moment, e.g. 2026-11-20 or 2026-11-20T06:00:00Z"),
      optional("from", "first as-of of a range (in place of as-of)"),
      optional("to", "last as-of of the range, included"),
      optional("every", "step of the range, e.g. 1d or 6h (default 1d)"),
      optional("rebuild", "true: also the as-ofs of the range that are up to date"),
      optional("format", "table (default) or json")),
  PUSH(
      "copy a snapshot of a feature table to Redis as a new version, and release it",
      optional("view", "the feature view"),
      optional("views", "several, separated by commas, to release in the same instant"),
      optional("snapshot", "Iceberg snapshot id or tag (default: the newest of main)"),
      optional("mode", "full, delta (what changed), or auto (default): delta where it is small"),
      optional("format", "table (default) or json")),
  VERIFY(
      "compare what is served with the snapshot it names: every row, counts and statistics",
      required("view", "the feature view"),
      optional("version", "a kept version (default: the released one)"),
      optional("sample", "a share of the entities, e.g. 0.01 (default: all of them)"),
      optional("show", "differing entities to name at the most (default 20)"),
      optional("report", "a file to write a page with tables and plots to, e.g. score.html"),
      optional("format", "table (default) or json")),
  ROLLBACK(
      "release an older version again and pin it",
      required("view", "the feature view"),
      optional("version", "a kept version (default: the one before the released one)"),
      optional("snapshot", "an Iceberg snapshot id or tag; pushed again if it is no longer kept")),
  UNPIN("let pushes release again after a rollback", required("view", "the feature view")),
  VERSIONS(
      "what is released, what is kept, since when and from which snapshot",
      optional("view", "only this feature view"),
      optional("format", "table (default) or json")),
  EXPIRE(
      "let go of old snapshots and files that no version in Redis needs, and of what dead jobs left",
      optional("view", "only this feature view (and the release history)"),
      optional("older-than", "e.g. 90d or 12h (default 30d)"),
      optional("format", "table (default) or json")),
  TRAIN(
      "join the features of a feature service to labelled rows, each as they were at its time",
      optional("spine", "the rows: Parquet or CSV (file, folder) or an Iceberg table"),
      optional("service", "the feature service"),
      optional("out", "where the training set goes: a new folder (Parquet) or Iceberg table"),
      optional("time", "the spine's time column (default event_timestamp)"),
      optional("at", "read each view as it was: a snapshot id, a tag or a time (default: now)"),
      optional("at.VIEW", "the same for one feature view"),
      optional("as", "served: what was live online at each row's time"),
      optional("vectors", "true: the service's float32 vectors in place of its features"),
      optional("manifest", "make a training set again: its _manifest.json or its id"),
      optional("overwrite", "true: replace the training set that is at out"),
      optional("format", "table (default) or json")),
  MANIFESTS(
      "the training sets whose snapshots are kept",
      optional("all", "true: also those that are retired"),
      optional("format", "table (default) or json")),
  RETIRE(
      "let go of the snapshots of a training set",
      required("manifest", "its id or its _manifest.json")),
  FIT(
      "fit the transforms of a feature service, and make them known to the servers",
      required("service", "the feature service"),
      optional("snapshot", "Iceberg snapshot ids or tags, separated by commas (default: released)"),
      optional("spine", "fit on the features of these rows, joined as by train"),
      optional("where", "with spine=: a condition in SQL, e.g. \"split = 'train'\""),
      optional("time", "with spine=: as of train"),
      optional("at", "with spine=: as of train"),
      optional("at.VIEW", "with spine=: as of train"),
      optional("as", "with spine=: as of train"),
      optional("format", "table (default) or json")),
  SERVE("answer lookups over gRPC until stopped"),
  GET(
      "look up entities online, or in Iceberg with snapshot=",
      required("ids", "entity ids, separated by commas; or [\"a,b\", \"c\"]"),
      optional("entity", "what the ids are ids of (default: the only one there is)"),
      optional("features", "names, separated by commas (default: all)"),
      optional("view", "with snapshot=: the feature view"),
      optional("snapshot", "answer from this Iceberg snapshot id or tag, not from the server"),
      optional("format", "table (default) or json"),
      optional("target", "host:port of the server (default: localhost and serving.port)"),
      optional("ca", "PEM file with the certificates to trust, for a server with TLS"),
      optional("cert", "PEM file with a certificate to show to it"),
      optional("key", "PEM file with the key of that certificate")),
  BENCH_PUSH(
      "measure pushes side by side with other ways to write the same rows",
      optional("rows", "entities (default 1000000)"),
      optional("features", "features of each (default 10)"),
      optional("width", "bytes of each string feature; 0 (default): doubles and longs only"),
      optional("runs", "measured runs of each, after one to warm up (default 5)"),
      optional("rivals", "false: Tarn's own figures only (default true)"),
      optional("format", "table (default) or json")),
  BENCH_LOOKUP(
      "measure lookups side by side with the least that a server can do",
      optional("entities", "entities (default 100000)"),
      optional("features", "of each, several separated by commas (default 10,50)"),
      optional("seconds", "of each run at half of saturation (default 10)"),
      optional("minutes", "of a last, long run at half of saturation (default 1, 0: none)"),
      optional(
          "near-cache", "only: nothing but what the near cache gains, or false (default true)"),
      optional("format", "table (default) or json")),
  BENCH_TRAIN(
      "measure training reads side by side with other ways to join the same tables",
      optional("rows", "rows of the spine (default 2000000)"),
      optional("entities", "entities in each as-of (default 1000000)"),
      optional("as-ofs", "lengths of history, separated by commas (default 5,20,100)"),
      optional("wide", "of these, those with four views, too (default those up to 20)"),
      optional("patience", "seconds after which a way is stopped (default 600)"),
      optional("features", "features of each view (default 5)"),
      optional("hot", "rows of one entity, in a measurement of its own (default 1000000; 0: none)"),
      optional("runs", "measured runs of each, after one to warm up (default 3)"),
      optional("rivals", "false: Tarn's own figures only (default true)"),
      optional("format", "table (default) or json")),
  BENCH_FAULTS(
      "kill pushes, Redis and connections at random, and check every answer meanwhile",
      optional("kills", "pushes to kill (default 100); other faults come to about half as many"),
      optional("seed", "another seed gives other moments and another order (default 1)"),
      optional("minutes", "no fault begins after this long (default 30)"),
      optional("format", "table (default) or json")),
  BENCH_CLIENT(
      "measure the Python client: vectors against get, for 1, 10 and 100 entities",
      optional("entities", "entities to ask for (default 20000)"),
      optional("seconds", "of each measure in each run (default 3)"),
      optional("runs", "measured runs, after one to warm up (default 3)"),
      optional("format", "table (default) or json"));

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

  /** The argument that a name is one of; one such as {@code at.VIEW} stands for each view's. */
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

  /** The command as it is typed. */
  public String word() {
    return name().toLowerCase(java.util.Locale.ROOT).replace('_', ' ');
  }

  static Optional<Command> of(String word) {
    return Stream.of(values()).filter(command -> command.word().equals(word)).findFirst();
  }

  static List<String> words() {
    return Stream.of(values()).map(Command::word).toList();
  }

  /** What {@code ./tarn help} prints. */
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

  /** What {@code ./tarn <command> help} prints. */
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
}
