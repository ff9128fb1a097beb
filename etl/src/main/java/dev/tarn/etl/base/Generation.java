package dev.tarn.etl.base;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.catalog.BaseTable;
import dev.tarn.etl.catalog.Cut;
import dev.tarn.etl.catalog.EventTable;
import dev.tarn.etl.definition.Entity;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.SparkTypes;
import dev.tarn.etl.definition.WindowFeature;
import dev.tarn.etl.definition.Windows;
import dev.tarn.etl.lake.Lake;
import dev.tarn.etl.source.SourceTables;
import dev.tarn.etl.window.LiveDefinition;
import dev.tarn.etl.window.WindowRows;
import dev.tarn.manifest.TrainingEvents;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.apache.iceberg.Snapshot;

/**
 * What a live view was in one generation, and the events of its source, so that what was answered
 * then can be computed again. An event table only grows, so of all snapshots that have a cut the
 * events before it are the same.
 */
public final class Generation {

  private static final Position POSITION = new Position("the definition of a generation", 1);

  private final Lake lake;
  private final String view;
  private final TrainingEvents definition;
  private final Windows windows;

  private Generation(Lake lake, String view, TrainingEvents definition) {
    this.lake = lake;
    this.view = view;
    this.definition = definition;
    windows =
        new Windows(
            Source.of(definition.getSource()),
            definition.getKeysMap(),
            Optional.of(definition.getWhere()).filter(where -> !where.isEmpty()),
            definition.getWindowsList().stream().map(WindowFeature::of).toList(),
            Optional.empty(),
            POSITION,
            POSITION);
  }

  /**
   * A generation of a view.
   *
   * @throws TarnException if the view never had it
   */
  public static Generation of(Lake lake, FeatureView view, String generation) {
    boolean isOfToday =
        view.live().isPresent() && LiveDefinition.generation(view).equals(generation);
    return of(
        lake,
        view.name(),
        isOfToday ? LiveDefinition.stored(view) : definition(lake, view.name(), generation));
  }

  /** A generation as it was defined. */
  public static Generation of(Lake lake, String view, TrainingEvents definition) {
    return new Generation(lake, view, definition);
  }

  /**
   * The definition of a generation.
   *
   * @throws TarnException if the view never had it
   */
  public static TrainingEvents definition(Lake lake, String view, String generation) {
    return BaseTable.open(lake.catalog(), view)
        .flatMap(table -> BaseTable.definition(table, generation))
        .orElseThrow(
            () ->
                new TarnException(
                    "%s: %s has no definition of generation %s, which the answer is of: is the stamp from another Tarn, or was the table dropped?"
                        .formatted(
                            view, lake.sqlName(view + FeatureView.BASE_SUFFIX), generation)));
  }

  /** The names of the features. */
  public List<String> features() {
    return windows.features().stream().map(WindowFeature::name).toList();
  }

  /** The entity, with the types of its keys. */
  public Entity entity(String name, List<String> keys) {
    List<Entity.KeyColumn> columns = new ArrayList<>();
    for (int i = 0; i < keys.size(); i++) {
      columns.add(
          new Entity.KeyColumn(keys.get(i), SparkTypes.type(definition.getEntityKeyTypes(i))));
    }
    return new Entity(name, columns, "", "", POSITION);
  }

  /**
   * Opens the events for rows that ask at cuts.
   *
   * @param cut has those of all rows
   * @param wanted names of features
   * @throws TarnException if the archive has not come so far
   */
  public WindowRows open(dev.tarn.live.Cut cut, Entity entity, Collection<String> wanted) {
    Source source = windows.source();
    String name = source.name();
    Optional<EventTable> table =
        EventTable.find(lake.catalog(), definition.getSource().getEventTable());
    Optional<Snapshot> main = table.flatMap(EventTable::main);
    Cut archived =
        main.flatMap(snapshot -> table.get().cut(snapshot)).orElseGet(() -> Cut.none("", ""));
    TreeMap<Integer, Long> asked = new TreeMap<>();
    for (int i = 0; i < cut.partitions(); i++) {
      if (archived.next(i) < cut.next(i)) {
        throw new TarnException(
            "%s: the archive has not reached offset %d of partition %d yet: ./tarn archive source=%s"
                .formatted(view, cut.next(i), i, name));
      }
      asked.put(i, cut.next(i));
    }
    if (main.isEmpty()) {
      throw new TarnException(
          "%s: nothing has been archived of source '%s' yet: ./tarn archive source=%s"
              .formatted(view, name, name));
    }
    SourceTables sources =
        SourceTables.open(lake.spark(), source, Optional.of(main.get().snapshotId()));
    sources = sources.filtered(source, EventCut.between(new TreeMap<>(), new Cut("", "", asked)));
    return new WindowRows(
        lake.spark(),
        sources,
        windows,
        entity,
        windows.features().stream().filter(feature -> wanted.contains(feature.name())).toList());
  }
}
