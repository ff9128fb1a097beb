package dev.tarn.serving.lookup;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.serving.access.Caller;
import dev.tarn.serving.lookup.Selection.Place;
import dev.tarn.serving.world.ReleasedView;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The features of one entity in all its released views, by plain and by full name. */
final class EntityFeatures {

  private static final int MAX_SELECTED = 100;

  private final String name;
  private final Optional<Caller> caller;
  private final Map<String, Place> byFullName = new TreeMap<>();
  private final Map<String, Place> byPlainName = new TreeMap<>();

  /** The full names of each plain name that several views have. */
  private final Map<String, List<String>> ambiguous = new TreeMap<>();

  private final List<String> names;
  private final Selection all;

  /** The selections by the names that were asked for, as clients repeat their requests. */
  private final Cache<List<String>, Selection> selected =
      Caffeine.newBuilder().maximumSize(MAX_SELECTED).executor(Runnable::run).build();

  /**
   * Collects the features of an entity.
   *
   * @param views the views of the entity that the caller may see
   * @param caller empty if these are all views
   */
  EntityFeatures(String name, Collection<ReleasedView> views, Optional<Caller> caller) {
    this.name = name;
    this.caller = caller;
    Map<String, List<String>> fullNames = new TreeMap<>();
    for (ReleasedView view : views) {
      for (int i = 0; i < view.features().size(); i++) {
        StoredFeature feature = view.features().get(i);
        String fullName = view.name() + "." + feature.getName();
        byFullName.put(fullName, new Place(view, i));
        fullNames.merge(feature.getName(), List.of(fullName), EntityFeatures::joined);
      }
    }
    Map<String, Place> chosen = new LinkedHashMap<>();
    fullNames.forEach(
        (plainName, full) -> {
          if (full.size() == 1) {
            Place place = byFullName.get(full.get(0));
            byPlainName.put(plainName, place);
            chosen.put(plainName, place);
          } else {
            ambiguous.put(plainName, full);
            full.forEach(fullName -> chosen.put(fullName, byFullName.get(fullName)));
          }
        });
    names = List.copyOf(chosen.keySet());
    all = Selection.of(chosen);
  }

  String name() {
    return name;
  }

  /**
   * Selects all features, by plain name, or by full name where several views have the plain one.
   */
  Selection all() {
    return all;
  }

  /** Finds the feature of a full name, {@code view.feature}. */
  Optional<Place> place(String fullName) {
    return Optional.ofNullable(byFullName.get(fullName));
  }

  /**
   * Selects the features of a request's {@code feature_names}.
   *
   * @throws LookupRefusedException INVALID for a name that no view has or several have; DENIED for
   *     a name that is in no view that the caller may see
   */
  Selection select(List<String> names) {
    Selection known = selected.getIfPresent(names);
    if (known != null) {
      return known;
    }
    Selection selection = selectAnew(names);
    // A longer list repeats names and may be as long as a request, so it is not kept.
    if (names.size() <= byPlainName.size() + byFullName.size()) {
      selected.put(List.copyOf(names), selection);
    }
    return selection;
  }

  private Selection selectAnew(List<String> names) {
    Map<String, Place> chosen = new LinkedHashMap<>();
    for (int i = 0; i < names.size(); i++) {
      String asked = names.get(i);
      Place place = byPlainName.get(asked);
      if (place == null) {
        place = byFullName.get(asked);
      }
      if (place == null && caller.isPresent() && !ambiguous.containsKey(asked)) {
        throw LookupRefusedException.denied(
            "feature_names[%d]".formatted(i),
            caller.get(),
            "feature " + LookupRefusedException.quote(asked));
      }
      if (place == null) {
        throw LookupRefusedException.invalid("feature_names[%d]".formatted(i), problemOf(asked));
      }
      chosen.put(asked, place);
    }
    return Selection.of(chosen);
  }

  private String problemOf(String asked) {
    if (asked.isEmpty()) {
      return "is empty";
    }
    List<String> fullNames = ambiguous.get(asked);
    if (fullNames != null) {
      return "'%s' is in several feature views: ask for %s"
          .formatted(asked, String.join(" or ", fullNames));
    }
    Collection<String> known = asked.contains(".") ? byFullName.keySet() : names;
    return "no feature %s of entity '%s'%s"
        .formatted(
            LookupRefusedException.quote(asked),
            name,
            LookupRefusedException.suggest(asked, known));
  }

  private static List<String> joined(List<String> some, List<String> more) {
    return Stream.of(some, more).flatMap(List::stream).toList();
  }
}
