package dev.tarn.etl.push;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.redis.VersionStore;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.manifest.VersionRecord;

/** Rules of what of a live view may be released. */
public final class LiveRules {

  private LiveRules() {}

  /**
   * Refuses a base of another definition than today's: what its cells mean is not what is answered.
   */
  static void requireGeneration(FeatureView view, VersionRecord wanted) {
    if (!wanted.getLive().getGeneration().equals(LiveDefinition.generation(view))) {
      throw new TarnException(
          "%s: snapshot %d is a base of another definition of the view, whose windows can't be answered any more; push the newest one: ./tarn push view=%s"
              .formatted(view.name(), wanted.getSnapshotId(), view.name()));
    }
  }

  /**
   * Refuses a base that ends before the live cells begin: the events in between would be in
   * neither.
   */
  public static void requireReach(VersionRecord wanted, VersionStore versions) {
    String view = wanted.getFeatureView();
    versions
        .progress(view, wanted.getLive().getGeneration())
        .forEach(
            (partition, progress) -> {
              long next = wanted.getLive().getCutOrDefault(partition, 0);
              if (next < progress.from()) {
                throw new TarnException(
                    "%s: the base of snapshot %d ends at offset %d of partition %d, and live cells begin at %d: the events between would be in neither. Release a newer base: ./tarn archive source=%s, then ./tarn push view=%s"
                        .formatted(
                            view,
                            wanted.getSnapshotId(),
                            next,
                            partition,
                            progress.from(),
                            wanted.getLive().getSource(),
                            view));
              }
            });
  }
}
