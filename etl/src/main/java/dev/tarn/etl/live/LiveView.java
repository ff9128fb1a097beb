package dev.tarn.etl.live;

import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.window.LiveDefinition;
import java.util.Optional;

/** A live view and the bases that it has in Redis, which change while it is followed. */
final class LiveView {

  private final FeatureView view;
  private final String generation;
  private volatile Optional<KeptBases> bases = Optional.empty();

  LiveView(FeatureView view) {
    this.view = view;
    generation = LiveDefinition.generation(view);
  }

  FeatureView view() {
    return view;
  }

  String name() {
    return view.name();
  }

  String generation() {
    return generation;
  }

  Source source() {
    return view.windows().orElseThrow().source();
  }

  /** Its kept bases; empty as long as nothing was pushed. */
  Optional<KeptBases> bases() {
    return bases;
  }

  void setBases(Optional<KeptBases> found) {
    bases = found;
  }
}
