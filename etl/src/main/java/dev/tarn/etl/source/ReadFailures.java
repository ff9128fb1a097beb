package dev.tarn.etl.source;

import com.google.common.base.Throwables;
import dev.tarn.etl.console.Causes;
import dev.tarn.etl.definition.Source;
import dev.tarn.etl.definition.Source.Format;
import dev.tarn.etl.lake.ParquetTypes;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Explains failures of sources that only show while their rows are read. */
public final class ReadFailures {

  private static final Pattern MALFORMED =
      Pattern.compile(
          "\\[MALFORMED_RECORD_IN_PARSING[^]]*] Malformed records are detected in record parsing:"
              + " (.*?)\\.?");

  private static final String HEADER = "CSV header does not conform to the schema.";

  private ReadFailures() {}

  /**
   * Says in one line why a build failed, as {@link Causes#reason} does, but says more where a text
   * file does not fit its schema.
   */
  public static String reason(List<Source> sources, Throwable failure) {
    for (Throwable cause : Throwables.getCausalChain(failure)) {
      List<String> lines =
          Optional.ofNullable(cause.getMessage()).orElse("").strip().lines().toList();
      String first = lines.isEmpty() ? "" : lines.get(0).strip();
      Matcher malformed = MALFORMED.matcher(first);
      if (malformed.matches()) {
        return "%s has a record that does not fit its schema, %s as far as it fits: %s"
            .formatted(
                textSources(sources), malformed.group(1), firstSentence(Causes.innermost(failure)));
      }
      if (first.equals(HEADER)) {
        return "%s has a file whose header is not its schema: %s"
            .formatted(
                textSources(sources),
                lines.stream().skip(1).map(String::strip).collect(Collectors.joining("; ")));
      }
    }
    return ParquetTypes.reason(failure);
  }

  /** Names all sources that are text: Spark does not say which one it was reading. */
  private static String textSources(List<Source> sources) {
    return sources.stream()
        .filter(source -> source.format() == Format.CSV || source.format() == Format.JSON)
        .map(source -> "source '%s' (%s)".formatted(source.name(), source.position()))
        .collect(Collectors.joining(" or "));
  }

  private static String firstSentence(String text) {
    return text.replaceFirst("^\\[[A-Z0-9_.]+] ", "").replaceFirst("\\. .*", "");
  }
}
