package dev.tarn.cli;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigList;
import com.typesafe.config.ConfigObject;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Reads what HOCON would take for a number or a tree as it was written. */
public final class Hocon {

  private Hocon() {}

  /**
   * The text of a value as it was written: {@code 00501} and not 501, {@code 1.50} and not 1.5. The
   * elements of a list are joined by commas.
   */
  public static String text(ConfigValue value) {
    if (value instanceof ConfigList list) {
      return list.stream().map(Hocon::text).collect(Collectors.joining(","));
    }
    // Only getString knows what a number was written as; unwrapped() makes a number of it.
    return value instanceof ConfigObject || value.unwrapped() == null
        ? String.valueOf(value.unwrapped())
        : value.atKey("value").getString("value");
  }

  /**
   * The values below an object by keys that are flat, e.g. {@code sql.shuffle.partitions}, as
   * Spark, Hadoop and Iceberg have them, however they were nested or quoted.
   */
  public static Map<String, ConfigValue> flat(Config object) {
    Map<String, ConfigValue> flat = new TreeMap<>();
    object
        .entrySet()
        .forEach(
            entry ->
                flat.put(String.join(".", ConfigUtil.splitPath(entry.getKey())), entry.getValue()));
    return flat;
  }
}
