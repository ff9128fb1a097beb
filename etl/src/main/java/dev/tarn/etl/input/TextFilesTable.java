package dev.tarn.etl.input;

import java.io.Serializable;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.read.Statistics;
import org.apache.spark.sql.connector.read.SupportsPushDownRequiredColumns;
import org.apache.spark.sql.connector.read.SupportsReportStatistics;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.apache.spark.util.SerializableConfiguration;
import scala.Option;

/**
 * Files of CSV or JSON as a table of Spark. Each record is read and checked whole, whatever columns
 * are asked for; Spark's own readers look at those alone.
 */
final class TextFilesTable implements Table, SupportsRead {

  private final TextSpec spec;
  private final List<TextPart> parts;
  private final long bytes;
  private final SerializableConfiguration configuration;

  private TextFilesTable(TextSpec spec, List<TextPart> parts, Configuration configuration) {
    this.spec = spec;
    this.parts = parts;
    this.bytes = parts.stream().mapToLong(TextPart::length).sum();
    this.configuration = new SerializableConfiguration(configuration);
  }

  /** The rows of files. */
  static Dataset<Row> open(
      SparkSession spark, Configuration configuration, TextSpec spec, List<InputFile> files) {
    List<TextPart> parts = TextParts.of(spark, configuration, spec, files);
    TextFilesTable table = new TextFilesTable(spec, parts, configuration);
    return Dataset.ofRows(
        spark,
        DataSourceV2Relation.create(
            table, Option.empty(), Option.empty(), CaseInsensitiveStringMap.empty()));
  }

  @Override
  public String name() {
    return spec.label();
  }

  @Override
  @SuppressWarnings("deprecation") // Spark's newer method calls it.
  public StructType schema() {
    return spec.all();
  }

  @Override
  public Set<TableCapability> capabilities() {
    return EnumSet.of(TableCapability.BATCH_READ);
  }

  @Override
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) {
    return new TextScan();
  }

  private final class TextScan
      implements ScanBuilder,
          SupportsPushDownRequiredColumns,
          Scan,
          SupportsReportStatistics,
          Batch {

    private StructType wanted = spec.all();

    @Override
    public void pruneColumns(StructType required) {
      wanted = required;
    }

    @Override
    public Scan build() {
      return this;
    }

    @Override
    public StructType readSchema() {
      return wanted;
    }

    @Override
    public String description() {
      return spec.label();
    }

    @Override
    public Batch toBatch() {
      return this;
    }

    @Override
    public Statistics estimateStatistics() {
      return new Statistics() {
        @Override
        public OptionalLong sizeInBytes() {
          return OptionalLong.of(bytes);
        }

        @Override
        public OptionalLong numRows() {
          return OptionalLong.empty();
        }
      };
    }

    @Override
    public InputPartition[] planInputPartitions() {
      return parts.toArray(new InputPartition[0]);
    }

    @Override
    public PartitionReaderFactory createReaderFactory() {
      return new Factory(spec, wanted, configuration);
    }
  }

  private record Factory(TextSpec spec, StructType wanted, SerializableConfiguration configuration)
      implements PartitionReaderFactory, Serializable {

    @Override
    public PartitionReader<InternalRow> createReader(InputPartition part) {
      return new TextPartReader(spec, wanted, (TextPart) part, configuration.value());
    }
  }
}
