package dev.tarn.etl.lake;

import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.internal.SQLConf;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.collection.JavaConverters;

/**
 * The settings of Spark that decide what SQL and files mean. A feature must not depend on where and
 * with which settings a job runs, so they are the same in every session that Tarn reads or writes
 * with. Settings that only decide how fast or where something is done are the user's.
 */
final class SessionSettings {

  private static final Logger LOG = LoggerFactory.getLogger(SessionSettings.class);

  /** Begins the settings that bring back what older versions of Spark did. */
  private static final String LEGACY = "spark.sql.legacy.";

  private static final String TIME_PARSER = LEGACY + "timeParserPolicy";

  private static final Map<String, String> FIXED =
      Map.ofEntries(
          // What a date or a plain time means.
          Map.entry("spark.sql.session.timeZone", "UTC"),
          Map.entry("spark.sql.timestampType", "TIMESTAMP_LTZ"),
          // java.sql's dates shift before 1582; java.time's don't.
          Map.entry("spark.sql.datetime.java8API.enabled", "true"),
          // One calendar, the proleptic Gregorian one, as Iceberg, Arrow and Redis have it.
          Map.entry("spark.sql.parquet.datetimeRebaseModeInRead", "CORRECTED"),
          Map.entry("spark.sql.parquet.datetimeRebaseModeInWrite", "CORRECTED"),
          Map.entry("spark.sql.parquet.int96RebaseModeInRead", "CORRECTED"),
          Map.entry("spark.sql.parquet.int96RebaseModeInWrite", "CORRECTED"),
          Map.entry("spark.sql.avro.datetimeRebaseModeInRead", "CORRECTED"),
          Map.entry("spark.sql.avro.datetimeRebaseModeInWrite", "CORRECTED"),
          // INT96, Spark's default, has nanoseconds, which reach from 1677 to 2262 only in most
          // readers, and no zone.
          Map.entry("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
          Map.entry("spark.sql.parquet.writeLegacyFormat", "false"),
          Map.entry("spark.sql.parquet.int96AsTimestamp", "true"),
          Map.entry("spark.sql.parquet.int96TimestampConversion", "false"),
          Map.entry("spark.sql.parquet.binaryAsString", "false"),
          Map.entry("spark.sql.parquet.inferTimestampNTZ.enabled", "true"),
          Map.entry("spark.sql.parquet.fieldId.read.enabled", "false"),
          // No file and no row is passed over without a word.
          Map.entry("spark.sql.files.ignoreCorruptFiles", "false"),
          Map.entry("spark.sql.files.ignoreMissingFiles", "false"),
          Map.entry("spark.sql.sources.useV1SourceList", "avro,csv,json,kafka,orc,parquet,text"),
          // What SQL means.
          Map.entry("spark.sql.ansi.enabled", "false"),
          Map.entry("spark.sql.ansi.doubleQuotedIdentifiers", "false"),
          Map.entry("spark.sql.ansi.enforceReservedKeywords", "false"),
          Map.entry("spark.sql.storeAssignmentPolicy", "ANSI"),
          Map.entry("spark.sql.caseSensitive", "false"),
          Map.entry("spark.sql.charAsVarchar", "false"),
          Map.entry("spark.sql.readSideCharPadding", "true"),
          Map.entry("spark.sql.decimalOperations.allowPrecisionLoss", "true"),
          Map.entry("spark.sql.mapKeyDedupPolicy", "EXCEPTION"),
          Map.entry("spark.sql.groupByAliases", "true"),
          Map.entry("spark.sql.groupByOrdinal", "true"),
          Map.entry("spark.sql.orderByOrdinal", "true"),
          Map.entry("spark.sql.function.concatBinaryAsString", "false"),
          Map.entry("spark.sql.function.eltOutputAsString", "false"),
          Map.entry("spark.sql.jsonGenerator.ignoreNullFields", "true"),
          Map.entry("spark.sql.parser.escapedStringLiterals", "false"),
          Map.entry("spark.sql.parser.quotedRegexColumnNames", "false"),
          Map.entry("spark.sql.lateralColumnAlias.enableImplicitResolution", "true"),
          // Text such as ${env:HOME} would make SQL depend on the machine.
          Map.entry("spark.sql.variable.substitute", "false"),
          Map.entry("spark.sql.error.messageFormat", "PRETTY"));

  private SessionSettings() {}

  /** Fixes them in a session of Tarn's own. */
  static void fix(SparkSession spark) {
    RuntimeConfig conf = spark.conf();
    // Those that the user has given, and not those that have their default.
    Map<String, String> all = all(spark);
    FIXED.forEach(
        (name, value) -> {
          String given = all.getOrDefault(name, value);
          if (!given.equalsIgnoreCase(value)) {
            LOG.warn("{}={} is not used: jobs need {}", name, given, value);
          }
          conf.set(name, value);
        });
    for (Map.Entry<String, String> given : all.entrySet()) {
      String name = given.getKey();
      boolean isStrict = name.equals(TIME_PARSER) && !given.getValue().equalsIgnoreCase("LEGACY");
      // Branches that only one session would see.
      boolean isBranch = name.startsWith("spark.wap.");
      if (isBranch || (name.startsWith(LEGACY) && !isStrict && !SQLConf.isStaticConfigKey(name))) {
        LOG.warn(
            "{}={} is not used: it would change what is read or written", name, given.getValue());
        conf.unset(name);
      }
    }
  }

  /** The same without a session, for expressions that are evaluated by themselves. */
  static SQLConf conf(Map<String, String> given) {
    SQLConf conf = new SQLConf();
    given.forEach(
        (name, value) -> {
          boolean isStrict = name.equals(TIME_PARSER) && !value.equalsIgnoreCase("LEGACY");
          if (name.startsWith("spark.sql.") && (isStrict || !name.startsWith(LEGACY))) {
            conf.setConfString(name, value);
          }
        });
    FIXED.forEach(conf::setConfString);
    return conf;
  }

  /** Gives a session the settings of another one, as far as those can be set while Spark runs. */
  static void copy(SparkSession from, SparkSession to) {
    Map<String, String> there = all(to);
    all(from)
        .forEach(
            (name, value) -> {
              if (!SQLConf.isStaticConfigKey(name) && !value.equals(there.get(name))) {
                // Not by conf(), which refuses keys of Spark's core that a builder has set.
                to.sessionState().conf().setConfString(name, value);
              }
            });
  }

  private static Map<String, String> all(SparkSession spark) {
    return new TreeMap<>(JavaConverters.mapAsJavaMap(spark.conf().getAll()));
  }
}
