package dev.tarn.etl.archive;

import com.google.gson.Gson;
import dev.tarn.etl.archive.RoundPlan.Range;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.apache.spark.sql.kafka010.KafkaSourceProvider;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.Option;

/**
 * Reads a topic's messages by the Kafka source of Spark's Structured Streaming, in batches of given
 * offsets: the event table's cut says where a round begins, so there is no checkpoint of a stream
 * that could be lost, or say something else.
 */
final class TopicMessages {

  /** Messages for one task, and so for one file, where there are few. */
  private static final long PER_TASK = 100_000;

  private static final Gson GSON = new Gson();

  private final SparkSession spark;
  private final KafkaSettings kafka;
  private final String topic;

  TopicMessages(SparkSession spark, KafkaSettings kafka, String topic) {
    this.spark = spark;
    this.kafka = kafka;
    this.topic = topic;
  }

  /**
   * The rows that messages become.
   *
   * @param ranges the offsets to read, none of them empty
   * @param decoding makes rows of messages
   * @param schema of those rows
   */
  Dataset<Row> decoded(List<Range> ranges, Decoding decoding, StructType schema) {
    int tasks = tasks(ranges);
    JavaRDD<InternalRow> messages = messages(ranges, tasks).queryExecution().toRdd().toJavaRDD();
    JavaRDD<InternalRow> few =
        tasks < messages.getNumPartitions() ? messages.coalesce(tasks) : messages;
    return spark.internalCreateDataFrame(few.mapPartitions(decoding).rdd(), schema, false);
  }

  private int tasks(List<Range> ranges) {
    long messages = ranges.stream().mapToLong(Range::size).sum();
    int parallel = Math.max(ranges.size(), spark.sparkContext().defaultParallelism());
    return (int) Math.max(1, Math.min(parallel, messages / PER_TASK));
  }

  private Dataset<Row> messages(List<Range> ranges, int tasks) {
    Map<String, String> options = new TreeMap<>(kafka.sparkOptions());
    options.put("assign", ofTopic(ranges.stream().map(Range::partition).toList()));
    options.put("startingOffsets", ofTopic(offsets(ranges, true)));
    options.put("endingOffsets", ofTopic(offsets(ranges, false)));
    options.put("failOnDataLoss", "true");
    options.put("minPartitions", Integer.toString(tasks));
    CaseInsensitiveStringMap given = new CaseInsensitiveStringMap(options);
    Table table = new KafkaSourceProvider().getTable(given);
    return Dataset.ofRows(
        spark, DataSourceV2Relation.create(table, Option.empty(), Option.empty(), given));
  }

  private static Map<Integer, Long> offsets(List<Range> ranges, boolean isStart) {
    Map<Integer, Long> offsets = new TreeMap<>();
    ranges.forEach(range -> offsets.put(range.partition(), isStart ? range.from() : range.to()));
    return offsets;
  }

  private String ofTopic(Object partitions) {
    return GSON.toJson(Map.of(topic, partitions));
  }
}
