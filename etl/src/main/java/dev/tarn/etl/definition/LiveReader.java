package dev.tarn.etl.definition;

import dev.tarn.manifest.FeatureType.Kind;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Reads {@code live { … }} of a window view, and refuses what can't be live. */
final class LiveReader {

  private static final Duration MAX_LAG = Duration.ofSeconds(30);
  private static final long SEGMENT = 4096;
  private static final long LONGEST_SEGMENT = 1 << 24;

  /** The longest time that ids of events are remembered for. */
  private static final Duration LONGEST_HORIZON = Duration.ofHours(1);

  private LiveReader() {}

  static Optional<Live> read(
      Node view, Optional<Source> source, List<WindowFeature> windows, Problems problems) {
    if (!view.has("live")) {
      return Optional.empty();
    }
    Position position = view.position("live");
    Optional<Node> live = view.object("live");
    if (live.isEmpty()) {
      return Optional.empty();
    }
    Node node = live.get();
    Duration maxLag = node.duration("max-lag").orElse(MAX_LAG);
    long segment = segment(node, problems);
    node.refuseUnknownKeys();
    if (view.has("max-age")) {
      problems.add(
          view.position("max-age"),
          "a live view is as old as its stream: say max-lag in live, and leave out max-age");
    }
    if (source.isPresent() && source.get().stream().isEmpty()) {
      problems.add(
          position,
          "a live view follows a topic, and source '%s' is none: format = kafka"
              .formatted(source.get().name()));
    }
    source.flatMap(Source::eventId).ifPresent(id -> checkEventId(id, position, problems));
    for (WindowFeature window : windows) {
      source
          .flatMap(Source::columns)
          .flatMap(
              columns -> window.of().flatMap(of -> EventExpression.resolve(of, columns).type()))
          .flatMap(SparkTypes::stored)
          .filter(type -> type.getKind() == Kind.KIND_ARRAY || type.getKind() == Kind.KIND_STRUCT)
          .ifPresent(
              type ->
                  problems.add(
                      window.position(),
                      "of = %s is an array or a struct, which cells of a live view don't hold: take its parts, or to_json(…)"
                          .formatted(window.of().orElse(""))));
    }
    return Optional.of(new Live(maxLag, segment, position));
  }

  private static long segment(Node node, Problems problems) {
    Optional<BigDecimal> given = node.decimal("segment");
    try {
      long segment = given.map(BigDecimal::longValueExact).orElse(SEGMENT);
      if (segment >= 1 && segment <= LONGEST_SEGMENT) {
        return segment;
      }
    } catch (ArithmeticException e) {
      // Told below.
    }
    problems.add(
        node.position("segment"),
        "segment is a number of offsets from 1 to %,d: segment = %d"
            .formatted(LONGEST_SEGMENT, SEGMENT));
    return SEGMENT;
  }

  private static void checkEventId(EventId id, Position position, Problems problems) {
    if (id.horizon().compareTo(LONGEST_HORIZON) > 0) {
      problems.add(
          position,
          "its source has event-id-horizon = %s. To tell repeated events, live must remember every id for so long, and does for 1 h at most: event-id-horizon = 1h, or leave out live"
              .formatted(id.horizon()));
    }
  }
}
