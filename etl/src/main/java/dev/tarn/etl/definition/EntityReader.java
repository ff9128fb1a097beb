package dev.tarn.etl.definition;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/** Reads the entities of a definition file. */
final class EntityReader {

  private static final Set<DataType> KEY_TYPES =
      Set.of(DataTypes.StringType, DataTypes.IntegerType, DataTypes.LongType, DataTypes.DateType);

  private final Problems problems;
  private final Names names;

  EntityReader(Problems problems, Names names) {
    this.problems = problems;
    this.names = names;
  }

  /** Adds the entities below {@code entities} to those read before. */
  void read(Node file, Map<String, Entity> entities) {
    for (Map.Entry<String, Node> entry : file.named("entities")) {
      Node node = entry.getValue();
      List<Entity.KeyColumn> keys = new ArrayList<>();
      for (Node key : node.list("keys", "[{ name = user_id, type = bigint }]")) {
        Optional<String> name = key.required("name", "user_id");
        Optional<DataType> type = DeclaredType.of(key, problems);
        key.refuseUnknownKeys();
        if (type.isPresent() && !KEY_TYPES.contains(type.get())) {
          problems.add(
              key.position("type"),
              "a key can't be %s: use string, int, bigint or date"
                  .formatted(type.get().simpleString()));
        }
        if (name.filter(FeatureView.RESERVED::contains).isPresent()) {
          problems.add(
              key.position("name"),
              "'%s' is a column of feature tables already; a key needs another name"
                  .formatted(name.get()));
        }
        if (name.isPresent()
            && type.isPresent()
            && names.isName(name.get(), key.position("name"))) {
          keys.add(new Entity.KeyColumn(name.get(), type.get()));
        }
      }
      names.refuseDuplicates("key", keys, Entity.KeyColumn::name, key -> node.position("keys"));
      if (!node.has("keys") || (keys.isEmpty() && problems.isEmpty())) {
        problems.add(
            node.position(), "keys is missing: keys = [{ name = user_id, type = bigint }]");
      }
      Entity entity =
          new Entity(
              entry.getKey(),
              keys,
              node.text("description").orElse(""),
              node.text("owner").orElse(""),
              node.position());
      node.refuseUnknownKeys();
      names.put(entities, "entity", entity.name(), entity, Entity::position);
    }
  }
}
