package dev.tarn.etl.train;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.CommandLine;
import dev.tarn.cli.LostKeys;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.console.Causes;
import dev.tarn.manifest.TrainingManifest;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * Says what a spine's texts mean: those of CSV and of partition folders.
 *
 * @param types of columns, by name; the others are text
 * @param options of CSV
 * @param areGuessed whether an older Tarn guessed the types, so that its set is made by guessing
 *     again
 */
record SpineTypes(Map<String, DataType> types, Map<String, String> options, boolean areGuessed) {

  /** What the arguments {@code types=} and {@code options=} ask for. */
  static SpineTypes asked(CommandLine line) {
    return new SpineTypes(
        line.optional("types").map(SpineTypes::types).orElse(Map.of()),
        line.optional("options").map(SpineTypes::options).orElse(Map.of()),
        false);
  }

  /** What the manifest of a set says. */
  static SpineTypes of(TrainingManifest manifest) {
    String stored = manifest.getSpine().getTextTypes();
    String options = manifest.getArgumentsOrDefault("options", "");
    return new SpineTypes(
        stored.isEmpty() ? Map.of() : types(stored), options(options), stored.isEmpty());
  }

  private static Map<String, DataType> types(String ddl) {
    Map<String, DataType> types = new LinkedHashMap<>();
    try {
      for (StructField field : StructType.fromDDL(ddl).fields()) {
        types.put(field.name(), field.dataType());
      }
    } catch (Exception e) { // Scala does not declare ParseException
      throw new UsageException(
          "types=%s can't be read: write \"zip string, label int\" (%s)"
              .formatted(ddl, Causes.reason(e)),
          e);
    }
    return types;
  }

  private static Map<String, String> options(String text) {
    Map<String, String> options = new TreeMap<>();
    try {
      Config parsed = ConfigFactory.parseString(text);
      parsed.root().forEach((name, value) -> options.put(name, String.valueOf(value.unwrapped())));
      for (LostKeys.Loss lost : LostKeys.of(text)) {
        throw new UsageException("options=%s: %s".formatted(text, lost.problem()));
      }
    } catch (ConfigException | IOException e) {
      throw new UsageException(
          "options=%s can't be read: write \"sep = ;, encoding = ISO-8859-1\", and quote what is special: quote = \"'\" (%s)"
              .formatted(text, Causes.reason(e)),
          e);
    }
    return options;
  }
}
