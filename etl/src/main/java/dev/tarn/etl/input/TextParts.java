package dev.tarn.etl.input;

import dev.tarn.etl.input.TextPart.Slice;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.io.compress.CompressionCodecFactory;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;

/**
 * Divides files among tasks. Small files share one. Large files of CSV are divided where a record
 * begins: a line break outside of quotes, for which all quotes before it are counted.
 */
final class TextParts {

  /** What opening a file costs, in bytes that could be read meanwhile; as Spark has it. */
  private static final long OPENING = 4L << 20;

  private final long most;

  private TextParts(long most) {
    this.most = most;
  }

  static List<TextPart> of(
      SparkSession spark, Configuration configuration, TextSpec spec, List<InputFile> files) {
    long bytes = files.stream().mapToLong(file -> file.length() + OPENING).sum();
    long perCore = bytes / Math.max(1, spark.sparkContext().defaultParallelism());
    long most =
        Math.min(spark.sessionState().conf().filesMaxPartitionBytes(), Math.max(OPENING, perCore));
    return of(spark, configuration, spec, files, most);
  }

  /** As {@link #of}, with files divided from a length on. */
  static List<TextPart> of(
      SparkSession spark,
      Configuration configuration,
      TextSpec spec,
      List<InputFile> files,
      long most) {
    return new TextParts(most).parts(spark, configuration, spec, files);
  }

  private List<TextPart> parts(
      SparkSession spark, Configuration configuration, TextSpec spec, List<InputFile> files) {
    CompressionCodecFactory codecs = new CompressionCodecFactory(configuration);
    List<InputFile> large = new ArrayList<>();
    List<Slice> slices = new ArrayList<>();
    for (InputFile file : files) {
      boolean isDivisible =
          !spec.isJson()
              && spec.dialect().isDivisible()
              && file.length() > 2 * most
              && codecs.getCodec(new Path(file.path())) == null;
      if (isDivisible) {
        large.add(file);
      } else {
        slices.add(Slice.of(file));
      }
    }
    slices.addAll(divided(spark, configuration, spec, large));
    return packed(slices);
  }

  private List<TextPart> packed(List<Slice> slices) {
    List<TextPart> parts = new ArrayList<>();
    List<Slice> part = new ArrayList<>();
    long bytes = 0;
    for (Slice slice : slices) {
      if (!part.isEmpty() && bytes + slice.length() > most) {
        parts.add(new TextPart(List.copyOf(part)));
        part.clear();
        bytes = 0;
      }
      part.add(slice);
      bytes += slice.length() + OPENING;
    }
    if (!part.isEmpty()) {
      parts.add(new TextPart(List.copyOf(part)));
    }
    return parts;
  }

  /** A part of a file, cut anywhere. */
  private record Cut(InputFile file, long from, long to) implements Serializable {}

  private List<Slice> divided(
      SparkSession spark, Configuration configuration, TextSpec spec, List<InputFile> files) {
    List<Cut> cuts = new ArrayList<>();
    for (InputFile file : files) {
      for (long from = 0; from < file.length(); from += most) {
        cuts.add(new Cut(file, from, Math.min(file.length(), from + most)));
      }
    }
    if (cuts.isEmpty()) {
      return List.of();
    }
    SerializableConfiguration shared = new SerializableConfiguration(configuration);
    int quote = spec.dialect().quote();
    List<CsvChunk> chunks =
        JavaSparkContext.fromSparkContext(spark.sparkContext())
            .parallelize(cuts, cuts.size())
            .map(cut -> chunk(cut, quote, shared.value()))
            .collect();
    Map<InputFile, List<Slice>> slices = new HashMap<>();
    long quotes = 0;
    long lines = 0;
    for (int i = 0; i < cuts.size(); i++) {
      Cut cut = cuts.get(i);
      CsvChunk chunk = chunks.get(i);
      List<Slice> ofFile = slices.computeIfAbsent(cut.file(), file -> new ArrayList<>());
      if (cut.from() == 0) {
        quotes = 0;
        lines = 0;
        ofFile.add(Slice.of(cut.file()));
      } else {
        boolean isInQuotes = quotes % 2 == 1;
        long begin = isInQuotes ? chunk.inside() : chunk.outside();
        if (begin >= 0 && begin < cut.file().length()) {
          Slice before = ofFile.remove(ofFile.size() - 1);
          ofFile.add(new Slice(before.file(), before.from(), begin, before.line()));
          long line = 1 + lines + (isInQuotes ? chunk.insideLines() : chunk.outsideLines());
          ofFile.add(new Slice(cut.file(), begin, Long.MAX_VALUE, line));
        }
      }
      quotes += chunk.quotes();
      lines += chunk.lines();
    }
    return files.stream().flatMap(file -> slices.get(file).stream()).toList();
  }

  private static CsvChunk chunk(Cut cut, int quote, Configuration configuration)
      throws IOException {
    Path path = new Path(cut.file().path());
    try (FSDataInputStream in = InputFiles.fileSystem(path, configuration).open(path)) {
      in.seek(cut.from());
      return CsvChunk.of(in, cut.from(), cut.to(), quote);
    }
  }
}
