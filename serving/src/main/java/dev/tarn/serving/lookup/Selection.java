package dev.tarn.serving.lookup;

import dev.tarn.serving.world.ReleasedView;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The features that a request asks for, grouped by the view that has them. Nothing of it changes
 * but what it has learned of its rows' size.
 */
final class Selection {

  /** The place of a feature: its view and its index among the view's features. */
  record Place(ReleasedView view, int index) {}

  /**
   * A feature to answer.
   *
   * @param name the name that the request has for it
   * @param index its index in the row
   */
  record Column(String name, int index) {}

  /** The features to answer from one view's row. */
  record ViewColumns(ReleasedView view, List<Column> columns) {}

  private final List<ViewColumns> views;
  private final int width;
  private final AnswerParts parts;
  private final AnswerParts legacyParts;

  private final UsualBytes rowBytes = new UsualBytes(64);

  private Selection(List<ViewColumns> views) {
    this.views = views;
    width = views.stream().mapToInt(view -> view.columns().size()).sum();
    parts = new AnswerParts(views, true);
    legacyParts = new AnswerParts(views, false);
  }

  /** Selects places, by the names under which to answer them. */
  static Selection of(Map<String, Place> named) {
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

  /** Returns the views, in order of name. */
  List<ViewColumns> views() {
    return views;
  }

  /** Returns the number of features. */
  int width() {
    return width;
  }

  /** Returns the bytes of this many rows, as far as it is known from others. */
  long expectedBytes(int rows) {
    return rowBytes.of(rows);
  }

  /**
   * Notes the bytes of rows that were fetched. Call this when the size of their answer is noted:
   * who knows the one without the other takes too large a lookup for one that fits.
   */
  void learn(FetchedRows rows) {
    if (!rows.isComplete()) {
      rowBytes.learn(rows.missing(), rows.fetchedBytes());
    }
  }

  AnswerParts parts() {
    return parts;
  }

  /** Returns the parts of the older service's answers. */
  AnswerParts legacyParts() {
    return legacyParts;
  }
}
