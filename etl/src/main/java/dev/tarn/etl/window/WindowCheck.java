package dev.tarn.etl.window;

import dev.tarn.etl.definition.EventExpression;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.WindowFeature;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.source.SourceTables;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/** Checks a window view against the columns that its source has; reads no rows. */
public final class WindowCheck {

  private WindowCheck() {}

  /** Adds what is wrong. */
  public static void check(FeatureView view, SourceTables sources, Problems problems) {
    Windows windows = view.windows().orElseThrow();
    StructType columns = sources.columns(windows.source());
    windows.checkKeys(view.name(), view.position(), view.entity(), columns, problems);
    windows.checkWhere(columns, problems);
    for (WindowFeature window : windows.features()) {
      view.feature(window.name())
          .ifPresent(feature -> checkType(feature, window, columns, problems));
    }
  }

  private static void checkType(
      Feature feature, WindowFeature window, StructType columns, Problems problems) {
    Optional<DataType> value = Optional.empty();
    if (window.of().isPresent()) {
      EventExpression.Resolved resolved = EventExpression.resolve(window.of().get(), columns);
      if (resolved.problem().isPresent()) {
        problems.add(window.position(), "of" + resolved.problem().get());
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
