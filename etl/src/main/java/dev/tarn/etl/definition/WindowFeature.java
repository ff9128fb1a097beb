package dev.tarn.etl.definition;

import com.google.protobuf.util.Durations;
import dev.tarn.aggregate.Aggregate;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.StoredWindow;
import java.time.Duration;
import java.util.Optional;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;

/**
 * An aggregate over the events of a window.
 *
 * @param name of the feature
 * @param count how many values {@code last n} gives; 0 for other aggregates
 * @param of Spark SQL on one event that gives the value; events where it is null don't count
 * @param window length of the window that ends at the moment of the question; empty: all events
 * @param resolution length of the cells that the window is made of
 */
public record WindowFeature(
    String name,
    Aggregate.Kind aggregate,
    int count,
    Optional<String> of,
    Optional<Duration> window,
    Duration resolution,
    Position position) {

  /** The feature as a manifest keeps it. */
  public StoredWindow stored() {
    StoredWindow.Builder stored =
        StoredWindow.newBuilder().setName(name).setAggregate(aggregate.name()).setCount(count);
    of.ifPresent(stored::setOf);
    window.ifPresent(
        length ->
            stored
                .setWindow(Durations.fromSeconds(length.toSeconds()))
                .setResolution(Durations.fromSeconds(resolution.toSeconds())));
    return stored.build();
  }

  /** The feature that a manifest keeps. */
  public static WindowFeature of(StoredWindow stored) {
    return new WindowFeature(
        stored.getName(),
        Aggregate.Kind.valueOf(stored.getAggregate()),
        stored.getCount(),
        Optional.of(stored.getOf()).filter(text -> !text.isEmpty()),
        stored.hasWindow()
            ? Optional.of(Duration.ofSeconds(Durations.toSeconds(stored.getWindow())))
            : Optional.empty(),
        Duration.ofSeconds(Durations.toSeconds(stored.getResolution())),
        new Position("the manifest", 1));
  }

  String fingerprint() {
    return String.join(
        " ",
        "window",
        name,
        aggregate.name(),
        Integer.toString(count),
        window.map(Duration::toString).orElse("-"),
        window.map(length -> resolution.toString()).orElse("-"),
        of.map(String::strip).orElse("-"));
  }

  /**
   * The type that the aggregate gives; empty if it is not given for values of this type.
   *
   * @param value type of the values; empty where events themselves are counted
   */
  public Optional<DataType> resultType(Optional<DataType> value) {
    return resultType(aggregate, value);
  }

  static Optional<DataType> resultType(Aggregate.Kind kind, Optional<DataType> value) {
    Optional<FeatureType> stored = value.flatMap(SparkTypes::stored);
    return value.isPresent() && stored.isEmpty()
        ? Optional.empty()
        : Aggregate.resultType(kind, stored).map(SparkTypes::spark);
  }

  /** The message that refuses values of a type that the aggregate is not given for. */
  public String refusal(DataType value) {
    return SparkTypes.stored(value).isEmpty()
        ? "of = %s is %s, which can't be served exactly; %s; there are: %s"
            .formatted(
                of.orElse(""),
                value.simpleString(),
                value instanceof MapType
                    ? "take one of its values, such as of = \"%s['key']\"".formatted(of.orElse(""))
                    : "write CAST(… AS …)",
                SparkTypes.SUPPORTED)
        : "there is no %s of %s: of = %s; %s"
            .formatted(aggregate.word(), value.simpleString(), of.orElse(""), remedy(value));
  }

  /** Says how a value of another type is had. */
  private String remedy(DataType value) {
    if (value instanceof StructType struct) {
      return "take one of its fields, such as of = \"%s.%s\""
          .formatted(of.orElse(""), struct.fieldNames()[0]);
    }
    return value instanceof ArrayType
        ? "take one of its elements, such as of = \"%1$s[0]\", or their number, of = \"size(%1$s)\""
            .formatted(of.orElse(""))
        : "write CAST(… AS …) if a number is meant";
  }

  /** The aggregate as users write it, e.g. {@code sum} or {@code { last = 5 }}. */
  public String written() {
    return aggregate == Aggregate.Kind.LAST_N ? "{ last = %d }".formatted(count) : aggregate.word();
  }
}
