package dev.tarn.etl.window;

import dev.tarn.cli.Suggestion;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.EventExpression;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.WindowFeature;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.SourceTables;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/** Checks a window view against the columns that its source has; reads no rows. */
public final class WindowCheck {

  /** Pairs of types, as text: a key of the first may be widened to the second. */
  private static final Set<String> WIDENINGS =
      Set.of("tinyint int", "smallint int", "tinyint bigint", "smallint bigint", "int bigint");

  private WindowCheck() {}

  /** Adds what is wrong. */
  public static void check(FeatureView view, SourceTables sources, Problems problems) {
    Windows windows = view.windows().orElseThrow();
    StructType columns = sources.columns(windows.source());
    checkKeys(view, windows, columns, problems);
    windows
        .where()
        .ifPresent(
            where ->
                EventExpression.condition(where, columns)
                    .problem()
                    .ifPresent(
                        problem ->
                            problems.add(
                                windows.wherePosition(),
                                "where = %s %s".formatted(where, problem))));
    for (WindowFeature window : windows.features()) {
      view.feature(window.name())
          .ifPresent(feature -> checkType(feature, window, columns, problems));
    }
  }

  private static void checkKeys(
      FeatureView view, Windows windows, StructType columns, Problems problems) {
    List<String> names = Arrays.asList(columns.fieldNames());
    for (Entity.KeyColumn key : view.entity().keys()) {
      if (!windows.keys().containsKey(key.name()) && !names.contains(key.name())) {
        problems.add(
            view.position(),
            "source '%s' of view '%s' has no column '%s', a key of entity '%s'%s; another column or an expression: keys { %s = \"…\" }"
                .formatted(
                    windows.source().name(),
                    view.name(),
                    key.name(),
                    view.entity().name(),
                    Suggestion.forName(key.name(), names),
                    key.name()));
        continue;
      }
      EventExpression.Resolved resolved = EventExpression.resolve(windows.key(key.name()), columns);
      if (resolved.problem().isPresent()) {
        problems.add(
            windows.keysPosition(),
            "keys: %s = %s %s"
                .formatted(key.name(), windows.key(key.name()), resolved.problem().get()));
        continue;
      }
      DataType type = resolved.type().orElseThrow();
      String pair = type.simpleString() + " " + key.type().simpleString();
      if (!SparkTypes.same(type, key.type()) && !WIDENINGS.contains(pair)) {
        problems.add(
            windows.keysPosition(),
            "key '%s' is %s in source '%s', and entity '%s' has it as %s: keys { %s = \"CAST(%s AS %s)\" }"
                .formatted(
                    key.name(),
                    type.simpleString(),
                    windows.source().name(),
                    view.entity().name(),
                    key.type().simpleString(),
                    key.name(),
                    windows.keys().getOrDefault(key.name(), key.name()),
                    key.type().simpleString()));
      }
    }
  }

  private static void checkType(
      Feature feature, WindowFeature window, StructType columns, Problems problems) {
    Optional<DataType> value = Optional.empty();
    if (window.of().isPresent()) {
      EventExpression.Resolved resolved = EventExpression.resolve(window.of().get(), columns);
      if (resolved.problem().isPresent()) {
        problems.add(
            window.position(), "of = %s %s".formatted(window.of().get(), resolved.problem().get()));
        return;
      }
      value = resolved.type();
    }
    Optional<DataType> given = window.resultType(value);
    if (given.isEmpty()) {
      problems.add(window.position(), window.refusal(value.orElseThrow()));
    } else if (!SparkTypes.same(given.get(), feature.type())) {
      problems.add(
          window.position(),
          "feature '%s' is %s, but %s of %s gives %s"
              .formatted(
                  feature.name(),
                  feature.type().simpleString(),
                  window.written(),
                  value.map(DataType::simpleString).orElse("events"),
                  given.get().simpleString()));
    }
  }
}
