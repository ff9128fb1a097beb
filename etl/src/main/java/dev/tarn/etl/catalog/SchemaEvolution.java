package dev.tarn.etl.catalog;

import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.Feature;
import dev.tarn.etl.definition.FeatureView;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableMetadata;
import org.apache.iceberg.TableOperations;
import org.apache.iceberg.UpdateSchema;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.TypeUtil;
import org.apache.iceberg.types.Types;

/** Lets the schema of a feature table follow its definition. Field ids stay as they are. */
public final class SchemaEvolution {

  private SchemaEvolution() {}

  /**
   * Makes the schema follow the definition: features that are new, gone, renamed by a {@code was}
   * note, or of a wider type. Field ids stay, so older snapshots read as before.
   *
   * @param wanted the schema of a table made from the definition
   * @throws UsageException if a change could lose or reinterpret values, before any is made
   */
  public static void follow(Table table, FeatureView view, Schema wanted) {
    Schema current = table.schema();
    List<String> unsafe = new ArrayList<>();
    UpdateSchema update = table.updateSchema();
    boolean changes = false;
    Set<String> kept = new HashSet<>(view.entity().keyNames());
    kept.add(FeatureView.EVENT_TIMESTAMP);
    kept.add(FeatureView.PRESENT_UNTIL);
    if (!keysOf(current).equals(keysOf(wanted))) {
      unsafe.add(
          "the table's keys are not those of entity '%s': a changed key makes other entities"
              .formatted(view.entity().name()));
    }
    for (Feature feature : view.features()) {
      Types.NestedField field = current.findField(feature.name());
      if (field == null && feature.was().isPresent()) {
        field = current.findField(feature.was().get());
        if (field != null) {
          update.renameColumn(field.name(), feature.name());
          changes = true;
        }
      }
      Type type = wanted.findType(feature.name());
      if (field == null) {
        update.addColumn(feature.name(), type);
        changes = true;
        continue;
      }
      kept.add(field.name());
      if (isSame(field.type(), type)) {
        continue;
      }
      if (type.isPrimitiveType()
          && TypeUtil.isPromotionAllowed(field.type(), type.asPrimitiveType())) {
        update.updateColumn(field.name(), type.asPrimitiveType());
        changes = true;
      } else {
        unsafe.add(
            "%s: feature '%s' is %s in the table and %s in the definition, and values can't be turned"
                    .formatted(feature.position(), feature.name(), field.type(), type)
                + " from one into the other without loss; give the new one another name");
      }
    }
    for (Types.NestedField field : current.columns()) {
      if (!kept.contains(field.name())) {
        update.deleteColumn(field.name());
        changes = true;
      }
    }
    if (!unsafe.isEmpty()) {
      throw new UsageException(
          "view '%s': the table's schema can't follow the definition\n  %s"
              .formatted(view.name(), String.join("\n  ", unsafe)));
    }
    if (changes) {
      update.commit();
    }
  }

  /** Undoes {@link #follow} by the id of the schema that was, with the field ids that were. */
  public static void restore(Table table, int schemaId) {
    TableOperations operations = ((HasTableOperations) table).operations();
    TableMetadata current = operations.refresh();
    if (current.currentSchemaId() != schemaId) {
      operations.commit(
          current, TableMetadata.buildFrom(current).setCurrentSchema(schemaId).build());
    }
    table.refresh();
  }

  /** Names and types of the columns before the event timestamp, which are the keys. */
  private static List<String> keysOf(Schema schema) {
    return schema.columns().stream()
        .takeWhile(field -> !field.name().equals(FeatureView.EVENT_TIMESTAMP))
        .map(field -> field.name() + " " + field.type())
        .toList();
  }

  /**
   * Whether two types are the same but for field ids, since those of a schema made from a
   * definition are not the table's, and for whether they allow nulls.
   */
  static boolean isSame(Type one, Type other) {
    if (one.isPrimitiveType() || other.isPrimitiveType()) {
      return one.equals(other);
    }
    if (one.isListType() && other.isListType()) {
      return isSame(one.asListType().elementType(), other.asListType().elementType());
    }
    if (one.isMapType() && other.isMapType()) {
      return isSame(one.asMapType().keyType(), other.asMapType().keyType())
          && isSame(one.asMapType().valueType(), other.asMapType().valueType());
    }
    if (one.isStructType() && other.isStructType()) {
      List<Types.NestedField> ours = one.asStructType().fields();
      List<Types.NestedField> theirs = other.asStructType().fields();
      boolean isSame = ours.size() == theirs.size();
      for (int i = 0; isSame && i < ours.size(); i++) {
        isSame =
            ours.get(i).name().equals(theirs.get(i).name())
                && isSame(ours.get(i).type(), theirs.get(i).type());
      }
      return isSame;
    }
    return false;
  }
}
