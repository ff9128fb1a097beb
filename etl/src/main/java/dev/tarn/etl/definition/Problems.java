package dev.tarn.etl.definition;

import dev.tarn.cli.Plural;
import dev.tarn.cli.UsageException;
import java.util.ArrayList;
import java.util.List;

/** Collects what is wrong with the definitions, so that one run shows all of it. */
public final class Problems {

  private record Problem(Position position, String message) {}

  private final List<Problem> found = new ArrayList<>();

  public void add(Position position, String message) {
    found.add(new Problem(position, message));
  }

  /** Adds what others have found. */
  public void addAll(Problems others) {
    found.addAll(others.found);
  }

  public boolean isEmpty() {
    return found.isEmpty();
  }

  /** Throws the problems, if there are any: one line each, in the order of files and lines. */
  public void throwIfAny() {
    if (found.isEmpty()) {
      return;
    }
    List<String> lines =
        found.stream()
            .sorted(
                java.util.Comparator.comparing((Problem problem) -> problem.position().file())
                    .thenComparing(problem -> problem.position().line()))
            .map(problem -> problem.position() + ": " + problem.message())
            .distinct()
            .toList();
    throw new UsageException(
        "%s in the definitions\n  %s"
            .formatted(Plural.of(lines.size(), "problem"), String.join("\n  ", lines)));
  }
}
