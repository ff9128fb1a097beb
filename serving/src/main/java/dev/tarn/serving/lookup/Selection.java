package dev.tarn.serving.lookup;

import dev.tarn.serving.world.ServedView;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The features that a request asks for, by the view that has them. Immutable. */
public final class Selection {

  /** Where a feature is: the index among its view's features. */
  public record Place(ServedView view, int index) {}

  /**
   * A feature to answer.
   *
   * @param name the name that it was asked for
   * @param index its place in the row
   */
  record Column(String name, int index) {}

  /** The features to answer from one view's row. */
  record ViewColumns(ServedView view, List<Column> columns) {}

  private final List<ViewColumns> views;
  private final int width;
  private final AnswerParts parts;
  private final AnswerParts legacyParts;

  private Selection(List<ViewColumns> views) {
    this.views = views;
    width = views.stream().mapToInt(view -> view.columns().size()).sum();
    parts = new AnswerParts(views, true);
    legacyParts = new AnswerParts(views, false);
  }

  /** A selection of places by the names under which to answer them. */
  public static Selection of(Map<String, Place> named) {
    Map<String, ViewColumns> byView = new TreeMap<>();
    named.forEach(
        (name, place) ->
            byView
                .computeIfAbsent(
                    place.view().name(), view -> new ViewColumns(place.view(), new ArrayList<>()))
                .columns()
                .add(new Column(name, place.index())));
    return new Selection(List.copyOf(byView.values()));
  }

  /** In order of name. */
  List<ViewColumns> views() {
    return views;
  }

  /** How many features are asked for. */
  int width() {
    return width;
  }

  AnswerParts parts() {
    return parts;
  }

  /** The parts of answers of the older service. */
  AnswerParts legacyParts() {
    return legacyParts;
  }
}
