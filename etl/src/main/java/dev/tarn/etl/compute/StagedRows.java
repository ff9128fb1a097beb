package dev.tarn.etl.compute;

import dev.tarn.etl.catalog.FeatureTable;
import dev.tarn.etl.definition.FeatureView;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.PartitionField;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotChanges;
import org.apache.iceberg.Table;
import org.apache.iceberg.exceptions.CommitFailedException;
import org.apache.iceberg.spark.SparkWriteOptions;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriterV2;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;

/**
 * The rows of several as-ofs, written together to an audit branch of their own, each as-of in files
 * of its own, and counted for their checks in one pass. The files of an as-of that is right are
 * then published by themselves, and those of the others go with the branch.
 */
final class StagedRows implements AutoCloseable {

  private static final int SECONDS_OF_DAY = 86_400;

  /** Rows of an as-of that one task sorts and writes. */
  private static final long SMALL = 2_000_000;

  /** With which Spark hashes what rows are divided by. */
  private static final int SPARK_SEED = 42;

  private final FeatureView view;
  private final FeatureTable table;
  private final List<Instant> asOfs;
  private final String branch;
  private final long head;
  private final int schema;
  private final Map<Instant, List<DataFile>> files;
  private final Dataset<Row> rows;
  private final Map<Instant, Audit.Counts> counts;
  private final int maxIdBytes;

  private StagedRows(
      FeatureView view,
      FeatureTable table,
      List<Instant> asOfs,
      String branch,
      Map<Instant, List<DataFile>> files,
      Dataset<Row> rows,
      int maxIdBytes) {
    this.view = view;
    this.table = table;
    this.asOfs = asOfs;
    this.branch = branch;
    this.head = Build.head(table, branch);
    this.schema = table.iceberg().schema().schemaId();
    this.files = files;
    this.rows = rows;
    this.maxIdBytes = maxIdBytes;
    this.counts = new Audit(view, rows, maxIdBytes).countEach();
  }

  /** Whether the files of a table tell their as-ofs: it is divided by day and by nothing else. */
  static boolean isPossible(FeatureTable table) {
    List<PartitionField> fields = table.iceberg().spec().fields();
    return fields.size() == 1
        && fields.get(0).transform().toString().equals("day")
        && fields.get(0).sourceId()
            == table.iceberg().schema().findField(FeatureView.EVENT_TIMESTAMP).fieldId();
  }

  /**
   * Writes rows of a table that stores every row.
   *
   * @param asOfs of the rows, in order of time
   */
  static StagedRows write(
      SparkSession spark,
      FeatureView view,
      FeatureTable table,
      List<Instant> asOfs,
      Dataset<Row> rows,
      int maxIdBytes)
      throws Exception {
    Table iceberg = table.iceberg();
    String branch = table.audits().create(asOfs.get(0));
    boolean isWritten = false;
    try {
      long base = Build.head(table, branch);
      Map<Instant, List<DataFile>> files = new HashMap<>();
      boolean isSmall = rows.count() <= SMALL * asOfs.size();
      for (Map<Integer, Instant> group : ofDifferentDays(asOfs)) {
        Dataset<Row> ofGroup =
            group.size() == asOfs.size()
                ? rows
                : rows.filter(
                    functions.col(FeatureView.EVENT_TIMESTAMP).isin(group.values().toArray()));
        String names =
            group.values().stream().map(Instant::toString).collect(Collectors.joining(","));
        DataFrameWriterV2<Row> writer =
            (isSmall ? divided(ofGroup, view, List.copyOf(group.values())) : ofGroup)
                .writeTo(table.sqlName() + ".branch_" + branch)
                .option("snapshot-property." + FeatureTable.STAGED, names);
        if (isSmall) {
          writer = writer.option(SparkWriteOptions.USE_TABLE_DISTRIBUTION_AND_ORDERING, "false");
        }
        writer.append();
        Snapshot snapshot = iceberg.snapshot(Build.head(table, branch));
        for (DataFile file :
            SnapshotChanges.builderFor(iceberg).snapshot(snapshot).build().addedDataFiles()) {
          Instant asOf = group.get(file.partition().get(0, Integer.class));
          files.computeIfAbsent(asOf, unused -> new ArrayList<>()).add(file);
        }
      }
      Dataset<Row> written =
          spark
              .read()
              .option("start-snapshot-id", base)
              .option("end-snapshot-id", Build.head(table, branch))
              .table(table.sqlName());
      StagedRows staged = new StagedRows(view, table, asOfs, branch, files, written, maxIdBytes);
      isWritten = true;
      return staged;
    } finally {
      if (!isWritten) {
        table.audits().remove(branch);
      }
    }
  }

  /**
   * Rows divided by as-of, a partition for each, and sorted by key: sooner than the table would
   * have it done, which looks at all rows for ranges of keys first.
   */
  private static Dataset<Row> divided(Dataset<Row> rows, FeatureView view, List<Instant> asOfs) {
    Column place = functions.lit(-1);
    for (int i = 0; i < asOfs.size(); i++) {
      place = functions.when(Build.isOf(asOfs.get(i)), placeOf(i, asOfs.size())).otherwise(place);
    }
    Column[] keys =
        view.entity().keyNames().stream()
            .map(key -> functions.col("`" + key + "`"))
            .toArray(Column[]::new);
    return rows.repartition(asOfs.size(), place).sortWithinPartitions(keys);
  }

  /** The smallest number that Spark's hash puts into a partition. */
  private static int placeOf(int partition, int partitions) {
    int place = 0;
    while (Math.floorMod(Murmur3_x86_32.hashInt(place, SPARK_SEED), partitions) != partition) {
      place++;
    }
    return place;
  }

  /** As-ofs by their days since 1970, so that the files of a day, a partition, have one as-of. */
  private static List<Map<Integer, Instant>> ofDifferentDays(List<Instant> asOfs) {
    List<Map<Integer, Instant>> groups = new ArrayList<>();
    for (Instant asOf : asOfs) {
      int day = Math.toIntExact(Math.floorDiv(asOf.getEpochSecond(), SECONDS_OF_DAY));
      Map<Integer, Instant> free =
          groups.stream()
              .filter(group -> !group.containsKey(day))
              .findFirst()
              .orElseGet(
                  () -> {
                    groups.add(new TreeMap<>());
                    return groups.get(groups.size() - 1);
                  });
      free.put(day, asOf);
    }
    return groups;
  }

  /** Whether the rows of an as-of are here, under the schema that the table has now. */
  boolean has(Instant asOf) {
    return asOfs.contains(asOf)
        && Optional.ofNullable(table.refs().all().get(branch))
            .filter(ref -> ref.snapshotId() == head)
            .isPresent()
        && table.iceberg().schema().schemaId() == schema;
  }

  /**
   * Makes sure that nobody has let go of the files before others held them, too.
   *
   * @throws CommitFailedException if the branch is not there any more
   */
  void requireThere() {
    if (Build.head(table, branch) != head) {
      throw new CommitFailedException("branch %s of %s has changed", branch, table.sqlName());
    }
  }

  /** The files with the rows of an as-of, and with no others. */
  List<DataFile> files(Instant asOf) {
    return files.getOrDefault(asOf, List.of());
  }

  /** The findings of the checks of an as-of. */
  Audit.AuditResult audit(Instant asOf, Supplier<Optional<Long>> rowsBefore) {
    Audit audit = new Audit(view, rows.filter(Build.isOf(asOf)), maxIdBytes);
    return audit.judge(counts.getOrDefault(asOf, audit.none()), rowsBefore);
  }

  @Override
  public void close() {
    table.audits().remove(branch);
  }
}
