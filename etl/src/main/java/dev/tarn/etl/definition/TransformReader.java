package dev.tarn.etl.definition;

import dev.tarn.cli.Hocon;
import dev.tarn.cli.Suggestion;
import dev.tarn.manifest.FeatureType;
import dev.tarn.manifest.Transform;
import dev.tarn.manifest.Transform.Bucketize;
import dev.tarn.manifest.Transform.Clip;
import dev.tarn.manifest.Transform.Fill;
import dev.tarn.manifest.Transform.Hash;
import dev.tarn.manifest.Transform.Log1p;
import dev.tarn.manifest.Transform.MinMax;
import dev.tarn.manifest.Transform.OneHot;
import dev.tarn.manifest.Transform.Standardize;
import dev.tarn.transform.TransformException;
import dev.tarn.transform.Transforms;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads the transforms of a feature as a feature service defines them: a list of names, whose
 * parameters are fitted, and of objects of one key that give them, e.g. {@code [log1p, { clip { max
 * = 9 } }]}.
 */
final class TransformReader {

  private static final List<String> NAMES =
      List.of("fill", "standardize", "min-max", "log1p", "clip", "one-hot", "bucketize", "hash");

  /** Number of values that are fitted by default. */
  private static final int TOP = 100;

  private static final int BUCKETS = 10;

  private final Problems problems;

  TransformReader(Problems problems) {
    this.problems = problems;
  }

  /** The transforms at {@code transform} of a service's feature of that type. */
  List<Transform> read(Node feature, FeatureType type) {
    List<Node.Element> elements = feature.elements("transform", "[{ fill = 0 }, standardize]");
    boolean isOfCategories =
        !elements.isEmpty()
            && List.of("one-hot", "hash").contains(name(elements.get(elements.size() - 1)));
    List<Transform> steps = new ArrayList<>();
    for (Node.Element element : elements) {
      read(element, isOfCategories).ifPresent(steps::add);
    }
    if (steps.size() == elements.size()) {
      try {
        Transforms.check(type, steps);
      } catch (TransformException e) {
        problems.add(
            e.step() < 0 ? feature.position("feature") : elements.get(e.step()).position(),
            e.getMessage());
      }
    }
    return steps;
  }

  private static String name(Node.Element element) {
    return element
        .text()
        .orElseGet(() -> String.join(" ", element.node().map(Node::keys).orElseThrow()));
  }

  private Optional<Transform> read(Node.Element element, boolean isOfCategories) {
    String name = name(element);
    if (!NAMES.contains(name)) {
      problems.add(
          element.position(),
          "there is no transform '%s'%s".formatted(name, Suggestion.forName(name, NAMES)));
      return Optional.empty();
    }
    Optional<Node> given = element.node();
    return given.isEmpty()
        ? withoutParameters(name, element.position())
        : withParameters(name, given.get(), isOfCategories);
  }

  private Optional<Transform> withoutParameters(String name, Position position) {
    Transform.Builder step = Transform.newBuilder().setFit(true);
    switch (name) {
      case "standardize" -> step.setStandardize(Standardize.getDefaultInstance());
      case "min-max" -> step.setMinMax(MinMax.getDefaultInstance());
      case "clip" -> step.setClip(Clip.getDefaultInstance());
      case "one-hot" -> step.setOneHot(OneHot.newBuilder().setTop(TOP));
      case "bucketize" -> step.setBucketize(Bucketize.newBuilder().setBuckets(BUCKETS));
      case "log1p" -> step.setLog1P(Log1p.getDefaultInstance()).clearFit();
      default -> {
        problems.add(
            position,
            "%s can't be fitted: { %s = %s }"
                .formatted(name, name, name.equals("hash") ? 1000 : 0));
        return Optional.empty();
      }
    }
    return Optional.of(step.build());
  }

  private Optional<Transform> withParameters(String name, Node node, boolean isOfCategories) {
    Transform.Builder step = Transform.newBuilder();
    if (name.equals("fill")) {
      return fill(node, isOfCategories).map(fill -> step.setFill(fill).build());
    }
    if (name.equals("hash")) {
      return node.number("hash")
          .map(number -> step.setHash(Hash.newBuilder().setBuckets(whole(number))).build());
    }
    Optional<Node> parameters = node.object(name);
    if (parameters.isEmpty()) {
      return Optional.empty();
    }
    readParameters(name, parameters.get(), step);
    parameters.get().refuseUnknownKeys();
    return Optional.of(step.build());
  }

  private static void readParameters(String name, Node node, Transform.Builder step) {
    switch (name) {
      case "standardize" -> {
        Standardize.Builder standardize = step.getStandardizeBuilder();
        node.number("mean").ifPresent(standardize::setMean);
        node.number("std").ifPresent(standardize::setStd);
      }
      case "min-max" -> {
        MinMax.Builder range = step.getMinMaxBuilder();
        node.number("min").ifPresent(range::setMin);
        node.number("max").ifPresent(range::setMax);
      }
      case "clip" -> {
        Clip.Builder clip = step.getClipBuilder();
        node.number("min").ifPresent(clip::setMin);
        node.number("max").ifPresent(clip::setMax);
      }
      case "one-hot" -> {
        OneHot.Builder oneHot = step.getOneHotBuilder();
        node.texts("values").stream().map(Map.Entry::getKey).forEach(oneHot::addValues);
        node.number("top")
            .filter(top -> !node.has("values"))
            .ifPresent(
                top -> {
                  oneHot.setTop(whole(top));
                  step.setFit(true);
                });
      }
      case "bucketize" -> {
        Bucketize.Builder bucketize = step.getBucketizeBuilder();
        node.numbers("boundaries").forEach(bucketize::addBoundaries);
        node.number("buckets")
            .filter(buckets -> !node.has("boundaries"))
            .ifPresent(
                buckets -> {
                  bucketize.setBuckets(whole(buckets));
                  step.setFit(true);
                });
      }
      default -> step.getLog1PBuilder();
    }
  }

  private static Optional<Fill> fill(Node node, boolean isOfCategories) {
    if (!isOfCategories) {
      return node.number("fill").map(number -> Fill.newBuilder().setNumber(number).build());
    }
    return node.value("fill").map(value -> Fill.newBuilder().setText(Hocon.text(value)).build());
  }

  /** Converts to int; a number that is not whole becomes 0, which every transform refuses. */
  private static int whole(double number) {
    return number == Math.rint(number) && Math.abs(number) <= Integer.MAX_VALUE ? (int) number : 0;
  }
}
