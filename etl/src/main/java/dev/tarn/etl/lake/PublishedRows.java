package dev.tarn.etl.lake;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.catalog.FileAsOfs;
import dev.tarn.etl.definition.FeatureView;
import java.time.Instant;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/** Counts the rows of a feature table's main. */
public final class PublishedRows {

  private PublishedRows() {}

  /**
   * The number of rows of the newest as-of before one, in a table that stores all rows; empty if
   * there is no such as-of.
   */
  public static Optional<Long> before(SparkSession spark, FeatureTable table, Instant asOf) {
    List<FileAsOfs> files = table.filesBefore(asOf);
    if (files.stream().allMatch(file -> file.only().isPresent() && !file.hasDeletes())) {
      Optional<Instant> newest =
          files.stream().flatMap(file -> file.only().stream()).max(Comparator.naturalOrder());
      return newest.map(
          last ->
              files.stream()
                  .filter(file -> file.only().equals(newest))
                  .mapToLong(FileAsOfs::rows)
                  .sum());
    }
    Optional<Instant> about = table.publishedBefore(asOf);
    if (about.isEmpty()) {
      return Optional.empty();
    }
    Column eventTimestamp = functions.col(FeatureView.EVENT_TIMESTAMP);
    Dataset<Row> published = spark.table(table.sqlName());
    Row newest =
        published
            .filter(
                eventTimestamp
                    .geq(functions.lit(about.get()))
                    .and(eventTimestamp.lt(functions.lit(asOf))))
            .agg(functions.max(eventTimestamp))
            .head();
    return newest.isNullAt(0)
        ? Optional.empty()
        : Optional.of(published.filter(eventTimestamp.equalTo(newest.get(0))).count());
  }
}
