package dev.tarn.bench.stream;

import com.google.protobuf.ByteString;
import dev.tarn.cli.CommandLine;
import dev.tarn.etl.console.Console;
import dev.tarn.etl.train.Training;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.Seq;

/**
 * Answers that are asked again from Iceberg: a spine with their stamps, of which {@code train}
 * makes what was served. It is compared with the answers, value for value.
 */
public final class AskedAgain {

  private static final int AT_ONCE = 50_000;
  private static final String SERVED = "served";
  private static final StructType SPINE =
      new StructType()
          .add("user_id", DataTypes.LongType)
          .add("stamp", DataTypes.BinaryType)
          .add(SERVED, DataTypes.StringType);

  private final LivePlace place;
  private final Path spine;
  private final List<Row> rows = new ArrayList<>();
  private long count;

  /**
   * Begins with none.
   *
   * @param folder to work in
   */
  public AskedAgain(LivePlace place, Path folder) {
    this.place = place;
    this.spine = folder.resolve("spine");
  }

  /** Adds an answer that did not lag. */
  public synchronized void add(StampedAnswer answer) {
    ByteString stamp = answer.stamp();
    rows.add(
        RowFactory.create(
            (long) answer.user(), stamp.toByteArray(), String.join("\t", answer.values())));
    count++;
    if (rows.size() == AT_ONCE) {
      write();
    }
  }

  /** Number of answers. */
  public synchronized long count() {
    return count;
  }

  private void write() {
    place
        .lake()
        .spark()
        .createDataFrame(List.copyOf(rows), SPINE)
        .coalesce(1)
        .write()
        .mode(SaveMode.Append)
        .parquet(spine.toString());
    rows.clear();
  }

  /**
   * Computes all answers again and returns how many differ.
   *
   * @param out a new folder
   * @param onWrong takes a message about each that differs
   */
  public long differing(Path out, Consumer<String> onWrong) {
    if (!rows.isEmpty()) {
      write();
    }
    List<String> words =
        new ArrayList<>(
            List.of(
                "train",
                "spine=" + spine,
                "service=recent",
                "as=served",
                "stamp=stamp",
                "out=" + out));
    words.addAll(place.words());
    CommandLine line = CommandLine.parse(words.toArray(new String[0])).orElseThrow();
    new Training(place.lake(), place.settings(), Console.silent())
        .newSet(line, Optional.empty())
        .save(out.toString(), false);
    Dataset<Row> again = place.lake().spark().read().parquet(out.toString());
    long differing = 0;
    long found = 0;
    for (Iterator<Row> all = again.toLocalIterator(); all.hasNext(); ) {
      Row row = all.next();
      found++;
      String served = row.getString(row.fieldIndex(SERVED));
      List<String> expected = served.isEmpty() ? Oracle.NOTHING : List.of(served.split("\t", -1));
      List<String> values = values(row);
      if (!values.equals(expected)) {
        differing++;
        onWrong.accept(
            "user %d, asked again: %s"
                .formatted(
                    row.getLong(row.fieldIndex("user_id")), Oracle.difference(expected, values)));
      }
    }
    return differing + Math.abs(count - found);
  }

  /** The values of a row as answers have them; an entity without a row has nulls only. */
  private static List<String> values(Row row) {
    List<String> values =
        Oracle.FEATURES.stream().map(name -> text(row, row.fieldIndex(name))).toList();
    return values.stream().allMatch("null"::equals) ? Oracle.NOTHING : values;
  }

  private static String text(Row row, int at) {
    Object value = row.get(at);
    if (value instanceof Double number) {
      return Oracle.text(number);
    }
    return value instanceof Seq<?> ? row.getList(at).toString() : String.valueOf(value);
  }
}
