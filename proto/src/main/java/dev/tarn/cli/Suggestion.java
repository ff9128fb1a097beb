package dev.tarn.cli;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;
import org.apache.commons.text.similarity.LevenshteinDistance;

/** Suggests what the user may have meant. */
public final class Suggestion {

  private static final LevenshteinDistance DISTANCE = LevenshteinDistance.getDefaultInstance();

  private Suggestion() {}

  /**
   * {@code "; did you mean 'x'?"} for the nearest known name, else {@code "; there are: x, y"}, or
   * nothing if no name is known.
   */
  public static String forName(String given, Collection<String> known) {
    Optional<String> nearest =
        known.stream()
            .min(
                Comparator.<String>comparingInt(name -> DISTANCE.apply(given, name))
                    .thenComparing(Comparator.naturalOrder()))
            .filter(name -> DISTANCE.apply(given, name) <= Math.max(2, given.length() / 3));
    if (nearest.isPresent()) {
      return "; did you mean '%s'?".formatted(nearest.get());
    }
    return known.isEmpty() ? "" : "; there are: " + String.join(", ", known);
  }
}
