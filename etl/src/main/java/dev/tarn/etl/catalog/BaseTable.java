package dev.tarn.etl.catalog;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.tarn.cli.TarnException;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.manifest.TrainingEvents;
import dev.tarn.redis.ControlJson;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;

/**
 * The Iceberg table with the bases of a live view: of each entity the cells of its events before
 * the base's cut. A base is a snapshot of it, whose summary has what {@link Base} says. The newest
 * row of an entity counts; one without events says that the entity has none any more. The table's
 * properties have the definition of each generation.
 */
public final class BaseTable {

  /** The column with the cells. */
  public static final String CELLS = "cells";

  private static final String DEFINITION = "tarn.generation.";

  private BaseTable() {}

  /** The table of a live view; empty if nothing has been pushed of it as a live view. */
  public static Optional<FeatureTable> find(IcebergCatalog catalog, String view) {
    return open(catalog, view).filter(table -> table.main().isPresent());
  }

  /** Opens the table although there may be no base in it yet. */
  public static Optional<FeatureTable> open(IcebergCatalog catalog, String view) {
    return FeatureTable.open(catalog, view + FeatureView.BASE_SUFFIX).filter(BaseTable::isBase);
  }

  private static boolean isBase(FeatureTable table) {
    return table.iceberg().schema().findField(CELLS) != null;
  }

  /**
   * Opens the table or makes it.
   *
   * @param columns key columns, event timestamp and cells
   * @throws TarnException if it is there with other columns
   */
  public static FeatureTable findOrCreate(
      IcebergCatalog catalog, FeatureView view, Schema columns) {
    FeatureTable table =
        FeatureTable.findOrCreate(
            catalog, view.name() + FeatureView.BASE_SUFFIX, view.entity(), columns);
    if (!FeatureTable.isSame(table.iceberg().schema(), columns)) {
      throw new TarnException(
          "%s: the bases of live view '%s' go to %s, which is there with other columns, as if the entity had other keys: rename or drop that table, or give the view another name"
              .formatted(view.position(), view.name(), table.sqlName()));
    }
    return table;
  }

  /** Notes what the cells of a generation are, so that old answers can be asked again. */
  public static void define(FeatureTable table, String generation, TrainingEvents definition) {
    String name = DEFINITION + generation;
    Commits.retry(
        () -> {
          table.iceberg().refresh();
          if (!table.iceberg().properties().containsKey(name)) {
            table.iceberg().updateProperties().set(name, ControlJson.print(definition)).commit();
          }
        });
  }

  /** What the cells of a generation are; empty if it is none of this table. */
  public static Optional<TrainingEvents> definition(FeatureTable table, String generation) {
    table.iceberg().refresh();
    return Optional.ofNullable(table.iceberg().properties().get(DEFINITION + generation))
        .map(json -> parse(table, json));
  }

  /** All generations that the table has had bases of. */
  public static List<String> generations(FeatureTable table) {
    table.iceberg().refresh();
    return table.iceberg().properties().keySet().stream()
        .filter(name -> name.startsWith(DEFINITION))
        .map(name -> name.substring(DEFINITION.length()))
        .sorted()
        .toList();
  }

  /** The newest base; empty if there is none. */
  public static Optional<Base> newest(FeatureTable table) {
    return table.main().flatMap(Base::of);
  }

  /**
   * Gives a branch the snapshot of a base, after its rows were written there, and moves main to it.
   *
   * @throws org.apache.iceberg.exceptions.CommitFailedException if somebody else has moved main
   */
  public static void publish(FeatureTable table, String branch, Base base) {
    AppendFiles commit = table.iceberg().newAppend().toBranch(branch);
    base.summary().forEach(commit::set);
    commit.commit();
    table.iceberg().refresh();
    table.audits().publish(branch, table.iceberg().snapshot(branch).snapshotId());
  }

  /** The rows that were written after the newest whole ones, up to a snapshot. */
  public static long rowsSinceWhole(Snapshot snapshot, Base base) {
    return Long.parseLong(snapshot.summary().getOrDefault("total-records", "0")) - base.wholeRows();
  }

  /** The moment of the base that comes after one. */
  public static Instant next(Optional<Base> before, Instant now) {
    return before
        .filter(base -> !base.at().isBefore(now))
        .map(base -> base.at().plusMillis(1))
        .orElse(now);
  }

  private static TrainingEvents parse(FeatureTable table, String json) {
    try {
      return ControlJson.parse(json, TrainingEvents.newBuilder()).build();
    } catch (InvalidProtocolBufferException e) {
      throw new TarnException(
          "a definition in the properties of %s can't be read: %s".formatted(table.sqlName(), json),
          e);
    }
  }
}
