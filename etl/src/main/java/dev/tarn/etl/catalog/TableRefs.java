package dev.tarn.etl.catalog;

import java.util.Map;
import java.util.function.Consumer;
import org.apache.iceberg.ManageSnapshots;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.Table;

/** The branches and tags of a table. */
public final class TableRefs {

  private final Table table;

  TableRefs(Table table) {
    this.table = table;
  }

  /** All branches and tags by name, as they are now. */
  public Map<String, SnapshotRef> all() {
    table.refresh();
    return table.refs();
  }

  /**
   * Changes branches or tags in one commit. Iceberg itself does not repeat such a commit when
   * another job has changed the table meanwhile; this does.
   */
  public void change(Consumer<ManageSnapshots> change) {
    Commits.retry(
        () -> {
          table.refresh();
          ManageSnapshots refs = table.manageSnapshots();
          change.accept(refs);
          refs.commit();
        });
  }

  /** Keeps a snapshot by a new tag, whatever age the table lets tags have. */
  public void tag(String name, long snapshotId) {
    change(refs -> refs.createTag(name, snapshotId).setMaxRefAgeMs(name, Long.MAX_VALUE));
  }

  /** Removes a tag, if it is there. */
  public void untag(String name) {
    if (all().containsKey(name)) {
      change(refs -> refs.removeTag(name));
    }
  }
}
