package dev.tarn.etl.definition;

import dev.tarn.cli.Suggestion;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;

/** Checks the names that definitions have and the names by which they refer to each other. */
final class Names {

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,62}");

  private final Problems problems;

  Names(Problems problems) {
    this.problems = problems;
  }

  /** Whether the text may be a name; if not, that is a problem. */
  boolean isName(String name, Position position) {
    if (NAME.matcher(name).matches()) {
      return true;
    }
    problems.add(
        position,
        "'%s' is not a name: use lower-case letters, digits and '_', with a letter first"
            .formatted(name));
    return false;
  }

  /** Adds a definition to those of its kind; a second one of the same name is a problem. */
  <T> void put(
      Map<String, T> map, String kind, String name, T value, Function<T, Position> position) {
    if (!isName(name, position.apply(value))) {
      return;
    }
    T before = map.putIfAbsent(name, value);
    if (before != null) {
      problems.add(
          position.apply(value),
          "%s '%s' is defined at %s already".formatted(kind, name, position.apply(before)));
    }
  }

  /** Finds a definition that another one refers to; a missing one is a problem. */
  <T> Optional<T> known(Map<String, T> map, String kind, String name, Position position) {
    if (!map.containsKey(name)) {
      problems.add(
          position,
          "there is no %s '%s'%s".formatted(kind, name, Suggestion.forName(name, map.keySet())));
    }
    return Optional.ofNullable(map.get(name));
  }

  /** Refuses elements of one list that have the same name. */
  <T> void refuseDuplicates(
      String kind, List<T> list, Function<T, String> name, Function<T, Position> position) {
    Map<String, T> seen = new HashMap<>();
    for (T element : list) {
      T before = seen.putIfAbsent(name.apply(element), element);
      if (before != null) {
        problems.add(
            position.apply(element),
            "%s '%s' is there already, at %s"
                .formatted(kind, name.apply(element), position.apply(before)));
      }
    }
  }
}
