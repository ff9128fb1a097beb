package dev.tarn.etl.definition;

import com.google.common.hash.Hashing;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A named group of features of one entity.
 *
 * @param history the rows of each as-of that the feature table keeps
 * @param maxAge greatest age of a row that is answered; empty: any age
 */
public record FeatureView(
    String name,
    Entity entity,
    Computation computation,
    List<Feature> features,
    History history,
    Optional<Duration> maxAge,
    List<Check> checks,
    String description,
    String owner,
    List<String> tags,
    Position position) {

  /** The column of a feature table that holds the as-of; no key or feature may have its name. */
  public static final String EVENT_TIMESTAMP = "event_timestamp";

  /**
   * The column of a feature table with history {@code changes} that is set where an entity ends: to
   * the last as-of that had a row of it. No key or feature may have its name.
   */
  public static final String PRESENT_UNTIL = "present_until";

  /** Ends the name of the table with the bases of a live view; it begins with the view's. */
  public static final String BASE_SUFFIX = "_base";

  /** Columns that are Tarn's own, in tables of either history. */
  static final Set<String> RESERVED = Set.of(EVENT_TIMESTAMP, PRESENT_UNTIL);

  /** The rows of each as-of that a feature table keeps. */
  public enum History {
    /** Every row. */
    FULL,
    /** The rows that differ from those of the as-of before. */
    CHANGES
  }

  /** The sources that the view is computed from. */
  public List<Source> sources() {
    return computation.sources();
  }

  /** The windows of a window view; empty for a view that is defined by SQL. */
  public Optional<Windows> windows() {
    return computation instanceof Windows windows ? Optional.of(windows) : Optional.empty();
  }

  /** How the view is kept up to date from the stream; empty if it is not live. */
  public Optional<Live> live() {
    return windows().flatMap(Windows::live);
  }

  public Optional<Feature> feature(String featureName) {
    return features.stream().filter(feature -> feature.name().equals(featureName)).findFirst();
  }

  /**
   * Fingerprint of all that decides what a build computes: 16 hexadecimal digits. Descriptions,
   * defaults, max age and checks don't, so changing them makes no as-of out of date.
   */
  public String definitionHash() {
    Stream<String> parts =
        Stream.of(
                computation.fingerprint(),
                entity.keys().stream().map(key -> "key " + key.name() + " " + key.type().sql()),
                features.stream()
                    .map(feature -> "feature " + feature.name() + " " + feature.type().sql()),
                sources().stream()
                    .map(
                        source ->
                            "source "
                                + String.join(
                                    " ",
                                    source.name(),
                                    source.format().name(),
                                    source.location(),
                                    source.schema().map(schema -> schema.sql()).orElse("-"),
                                    source.timestamp().orElse("-"),
                                    new java.util.TreeMap<>(source.options()).toString())),
                // Only if they are declared, so that the hashes of older builds stay the same.
                sources().stream().flatMap(FeatureView::readingRules),
                history == History.CHANGES ? Stream.of("history changes") : Stream.<String>empty())
            .flatMap(part -> part);
    return Hashing.sha256()
        .hashString(parts.collect(Collectors.joining("\n")), StandardCharsets.UTF_8)
        .toString()
        .substring(0, 16);
  }

  private static Stream<String> readingRules(Source source) {
    String name = source.name();
    return Stream.of(
            source.epoch().map(epoch -> "epoch " + name + " " + epoch),
            Optional.of("missing columns " + name).filter(rule -> source.allowsMissingColumns()),
            Optional.of("missing times " + name).filter(rule -> source.skipsMissingTimes()))
        .flatMap(Optional::stream);
  }
}
