package dev.tarn.etl.input;

import com.google.common.base.Utf8;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.objects.StaticInvoke;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.catalyst.util.MapData;
import org.apache.spark.sql.types.AbstractDataType;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.ObjectType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;
import scala.collection.JavaConverters;

/**
 * Tells texts from bytes that Spark only takes for text. Spark keeps them as they are, and whoever
 * makes a text of them puts U+FFFD where they are none.
 */
public final class Utf8Texts {

  /** The bits of eight bytes of which none is set in ASCII. */
  private static final long NOT_ASCII = 0x8080_8080_8080_8080L;

  private Utf8Texts() {}

  /** Whether a value has a text that is no UTF-8; false of null. Its type has texts. */
  public static Column isBroken(Column value, DataType type) {
    List<Expression> arguments = new ArrayList<>(List.of(value.expr()));
    if (!(type instanceof StringType)) {
      arguments.add(new Literal(type, new ObjectType(DataType.class)));
    }
    return new Column(
            new StaticInvoke(
                Utf8Texts.class,
                DataTypes.BooleanType,
                "isBroken",
                JavaConverters.asScalaBuffer(arguments).toSeq(),
                JavaConverters.<AbstractDataType>asScalaBuffer(List.of()).toSeq(),
                true,
                false,
                true))
        .equalTo(true);
  }

  /** Whether bytes are no UTF-8. */
  public static boolean isBroken(UTF8String text) {
    Object base = text.getBaseObject();
    long offset = text.getBaseOffset();
    int length = text.numBytes();
    int at = 0;
    for (; at + Long.BYTES <= length; at += Long.BYTES) {
      if ((Platform.getLong(base, offset + at) & NOT_ASCII) != 0) {
        return !Utf8.isWellFormed(text.getBytes());
      }
    }
    for (; at < length; at++) {
      if (Platform.getByte(base, offset + at) < 0) {
        return !Utf8.isWellFormed(text.getBytes());
      }
    }
    return false;
  }

  // Called by the code that Spark generates.

  /** Whether an array has a text that is no UTF-8. */
  public static boolean isBroken(ArrayData values, DataType type) {
    Search search = new Search();
    NestedTexts.visit(values, (ArrayType) type, search::look);
    return search.hasFound;
  }

  /** Whether a map has a text that is no UTF-8. */
  public static boolean isBroken(MapData values, DataType type) {
    Search search = new Search();
    NestedTexts.visit(values, (MapType) type, search::look);
    return search.hasFound;
  }

  /** Whether a struct has a text that is no UTF-8. */
  public static boolean isBroken(InternalRow values, DataType type) {
    Search search = new Search();
    NestedTexts.visit(values, (StructType) type, search::look);
    return search.hasFound;
  }

  private static final class Search {

    private boolean hasFound;

    void look(UTF8String text) {
      hasFound |= isBroken(text);
    }
  }
}
