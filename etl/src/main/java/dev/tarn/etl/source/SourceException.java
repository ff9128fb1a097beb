package dev.tarn.etl.source;

import dev.tarn.cli.TarnException;
import dev.tarn.etl.definition.Position;
import dev.tarn.etl.definition.Source;

/** A source that is missing or can't be read. The message begins with where it is defined. */
public final class SourceException extends TarnException {
  private static final long serialVersionUID = 1L;

  private final transient Position position;
  private final String problem;

  SourceException(Source source, String problem) {
    this(source, problem, null);
  }

  SourceException(Source source, String problem, Throwable cause) {
    super(source.position() + ": " + problem, cause);
    this.position = source.position();
    this.problem = problem;
  }

  /** Position at which the source is defined. */
  public Position position() {
    return position;
  }

  /** The message without the position. */
  public String problem() {
    return problem;
  }
}
