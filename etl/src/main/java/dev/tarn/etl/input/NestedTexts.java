package dev.tarn.etl.input;

import java.util.Arrays;
import java.util.function.Consumer;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;

/** Visits the texts within values of Spark, however deep they are in arrays, maps and structs. */
public final class NestedTexts {

  private NestedTexts() {}

  /** Whether values of a type have texts. */
  public static boolean isIn(DataType type) {
    if (type instanceof StructType struct) {
      return Arrays.stream(struct.fields()).map(StructField::dataType).anyMatch(NestedTexts::isIn);
    }
    if (type instanceof ArrayType array) {
      return isIn(array.elementType());
    }
    if (type instanceof MapType map) {
      return isIn(map.keyType()) || isIn(map.valueType());
    }
    return type instanceof StringType;
  }

  /** Visits the texts of one value in a row or an array. */
  public static void visit(
      SpecializedGetters values, int index, DataType type, Consumer<UTF8String> visitor) {
    if (values.isNullAt(index)) {
      return;
    }
    if (type instanceof StringType) {
      visitor.accept(values.getUTF8String(index));
    } else if (type instanceof StructType struct) {
      visit(values.getStruct(index, struct.length()), struct, visitor);
    } else if (type instanceof ArrayType array) {
      visit(values.getArray(index), array, visitor);
    } else if (type instanceof MapType map) {
      visit(values.getMap(index), map, visitor);
    }
  }

  /** Visits the texts of a struct. */
  public static void visit(InternalRow values, StructType type, Consumer<UTF8String> visitor) {
    StructField[] fields = type.fields();
    for (int i = 0; i < fields.length; i++) {
      visit(values, i, fields[i].dataType(), visitor);
    }
  }

  /** Visits the texts of an array. */
  public static void visit(ArrayData values, ArrayType type, Consumer<UTF8String> visitor) {
    if (isIn(type.elementType())) {
      for (int i = 0; i < values.numElements(); i++) {
        visit(values, i, type.elementType(), visitor);
      }
    }
  }

  /** Visits the texts of a map. */
  public static void visit(MapData values, MapType type, Consumer<UTF8String> visitor) {
    visit(values.keyArray(), new ArrayType(type.keyType(), false), visitor);
    visit(values.valueArray(), new ArrayType(type.valueType(), true), visitor);
  }
}
