package dev.tarn.etl.definition;

import com.google.protobuf.Value;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.DataType;

/**
 * One feature of a view.
 *
 * @param defaultValue stands in for a missing value, as it is answered
 * @param was the name that it had before, for the build that renames the table's column
 */
public record Feature(
    String name,
    DataType type,
    Optional<Value> defaultValue,
    Optional<String> was,
    String description,
    String owner,
    List<String> tags,
    Position position) {}
