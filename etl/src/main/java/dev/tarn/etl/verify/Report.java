package dev.tarn.etl.verify;

import com.google.common.io.Resources;
import com.google.protobuf.util.Timestamps;
import dev.tarn.cli.Plural;
import dev.tarn.etl.verify.Difference.DifferenceKind;
import dev.tarn.etl.verify.Difference.FeatureDifference;
import dev.tarn.manifest.StoredFeature;
import dev.tarn.manifest.VersionRecord;
import dev.tarn.row.FeatureTypes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;

/**
 * Writes a verification as one page that needs no script, font or picture from elsewhere. The page
 * is both HTML and well-formed XML.
 */
public final class Report {

  private final Verification verification;
  private final VersionRecord record;
  private final StringBuilder html = new StringBuilder();

  private Report(Verification verification) {
    this.verification = verification;
    this.record = verification.record();
  }

  public static String of(Verification verification) {
    return new Report(verification).page();
  }

  private String page() {
    add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    add("<title>%s, version %s</title>\n", record.getFeatureView(), record.getVersion());
    html.append("<style>\n").append(style()).append("</style>\n");
    add("</head>\n<body>\n<main>\n");
    head();
    if (verification.differing() > 0) {
      differences();
    }
    overview();
    features();
    add(
        "<footer>tarn verify, %s. Mean, variance, quantiles and plots are of the finite values. Quantiles are off by a thousandth of the rows at the most, distinct values by about two hundredths.</footer>\n",
        verification.at().truncatedTo(ChronoUnit.SECONDS).toString());
    add("</main>\n</body>\n</html>\n");
    return html.toString();
  }

  private void head() {
    add("<p class=\"eyebrow\">Online against the snapshot</p>\n");
    add("<h1>%s</h1>\n", record.getFeatureView());
    if (verification.isEqual()) {
      add(
          "<p class=\"verdict good\">%s</p>\n",
          verification.isAll() ? "Equal, bit for bit" : "Equal in this sample, bit for bit");
    } else if (verification.differing() == 0) {
      add(
          "<p class=\"verdict bad\">Equal, but the manifest says %s</p>\n",
          Plural.of(record.getRows(), "entity"));
    } else {
      add(
          "<p class=\"verdict bad\">%s %s</p>\n",
          Plural.of(verification.differing(), "entity"),
          Plural.choose(verification.differing(), "differs", "differ"));
    }
    add("<div class=\"tiles\">\n");
    tile(
        count(verification.online()),
        Plural.choose(verification.online(), "entity online", "entities online"),
        false);
    tile(count(verification.offline()), "in the snapshot", false);
    tile(
        count(verification.differing()),
        Plural.choose(verification.differing(), "differs", "differ"),
        verification.differing() > 0);
    tile(
        Integer.toString(verification.features().size()),
        Plural.choose(verification.features().size(), "feature", "features"),
        false);
    add("</div>\n<dl class=\"facts\">\n");
    fact("version", record.getVersion(), verification.isReleased() ? " (released)" : " (kept)");
    fact("snapshot", Long.toString(record.getSnapshotId()), "");
    fact("as of", Timestamps.toString(record.getAsOf()), "");
    fact("table", record.getTable(), "");
    if (record.hasBase()) {
      fact("laid over", record.getBase().getVersion(), "");
    }
    fact(
        "compared",
        verification.isAll() ? "every row" : "a sample of " + Numbers.percent(verification.share()),
        "");
    verification.ofAge().ifPresent(text -> fact("answered", text, ""));
    double seconds = verification.took().toMillis() / 1e3;
    fact(
        "took",
        "%.1f s".formatted(seconds),
        " (%,.0f entities/s)".formatted(verification.online() / Math.max(0.001, seconds)));
    add("</dl>\n");
  }

  private void tile(String number, String what, boolean isWrong) {
    add(
        "<div class=\"tile%s\"><b>%s</b><span>%s</span></div>\n",
        isWrong ? " wrong" : "", number, what);
  }

  private void fact(String name, String value, String more) {
    add("<div><dt>%s</dt><dd>%s%s</dd></div>\n", name, value, more);
  }

  private void differences() {
    add("<h2>Entities that differ</h2>\n");
    add("<div class=\"panel narrow\"><table>\n");
    add("<tr><th>how</th><th class=\"number\">entities</th></tr>\n");
    for (Map.Entry<DifferenceKind, Long> entry : verification.counts().entrySet()) {
      add(
          "<tr><td>%s</td><td class=\"number\">%s</td></tr>\n",
          entry.getKey().sentence(entry.getValue()), count(entry.getValue()));
    }
    add("</table></div>\n");
    if (verification.first().isEmpty()) {
      return;
    }
    long more = verification.differing() - verification.first().size();
    add(
        "<h2>%s</h2>\n",
        more == 0
            ? "One by one"
            : "The first %s of them, by id".formatted(count(verification.first().size())));
    add("<div class=\"panel\"><table>\n");
    add(
        "<tr><th>entity</th><th>how</th><th>feature</th><th class=\"online\">online</th><th class=\"offline\">in the snapshot</th></tr>\n");
    for (Difference difference : verification.first()) {
      List<FeatureDifference> rows = new ArrayList<>(difference.features());
      if (rows.isEmpty()) {
        rows.add(new FeatureDifference("", difference.detail(), ""));
      }
      for (int i = 0; i < rows.size(); i++) {
        FeatureDifference row = rows.get(i);
        add(
            "<tr><td><code>%s</code></td><td class=\"kind\">%s</td><td>%s</td><td><code>%s</code></td><td><code>%s</code></td></tr>\n",
            i == 0 ? difference.entityId() : "",
            i == 0 ? difference.kind().sentence(1) : "",
            row.feature(),
            row.online(),
            row.offline());
      }
    }
    add("</table></div>\n");
  }

  private void overview() {
    add("<h2>Features</h2>\n");
    legend();
    add("<div class=\"panel\"><table>\n");
    add(
        "<tr><th>feature</th><th>type</th><th class=\"number\">differ</th><th class=\"number\">nulls</th><th class=\"number\">distinct</th><th class=\"number\">mean</th><th class=\"number\">median</th><th>values</th></tr>\n");
    for (int i = 0; i < verification.features().size(); i++) {
      Verification.OfFeature feature = verification.features().get(i);
      add(
          "<tr><td><a href=\"#f%s\">%s</a></td><td><code>%s</code></td>",
          Integer.toString(i),
          feature.feature().getName(),
          FeatureTypes.name(feature.feature().getType()));
      add(
          "<td class=\"number%s\">%s</td>",
          feature.differing() > 0 ? " differs" : "", count(feature.differing()));
      both(feature, statistics -> Numbers.percent(statistics.nullRate()));
      both(feature, statistics -> count(statistics.distinct()));
      both(feature, statistics -> Numbers.of(statistics.mean()));
      both(feature, statistics -> Numbers.of(statistics.quantile(0.5)));
      html.append("<td>")
          .append(
              feature.online().isNumeric() ? Plots.spark(feature.online(), feature.offline()) : "")
          .append("</td></tr>\n");
    }
    add("</table></div>\n");
  }

  private void legend() {
    add(
        "<p class=\"legend\"><span><i class=\"area\"></i>in the snapshot</span><span><i class=\"stroke\"></i>online</span></p>\n");
  }

  /** Adds a cell with one figure if both sides have the same, else with both. */
  private void both(Verification.OfFeature feature, Function<Statistics, String> figure) {
    String online = figure.apply(feature.online());
    String offline = figure.apply(feature.offline());
    if (online.equals(offline)) {
      add("<td class=\"number\">%s</td>", online);
    } else {
      add(
          "<td class=\"number\"><span class=\"online\">%s</span><br/><span class=\"offline\">%s</span></td>",
          online, offline);
    }
  }

  private void features() {
    add("<h2>Each feature</h2>\n<div class=\"cards\">\n");
    for (int i = 0; i < verification.features().size(); i++) {
      Verification.OfFeature feature = verification.features().get(i);
      StoredFeature stored = feature.feature();
      add(
          "<article class=\"card\" id=\"f%s\">\n<header><h3>%s</h3>",
          Integer.toString(i), stored.getName());
      add("<code>%s</code>", FeatureTypes.name(stored.getType()));
      if (feature.differing() > 0) {
        add("<span class=\"differs\">%s differ</span>", count(feature.differing()));
      }
      add("</header>\n");
      if (!stored.getDescription().isEmpty()) {
        add("<p class=\"about\">%s</p>\n", stored.getDescription());
      }
      if (feature.online().isNumeric()) {
        add(
            "<div class=\"plots\">\n<figure><figcaption>how many values are how large</figcaption>");
        html.append(Plots.histogram(feature.online(), feature.offline()));
        add("</figure>\n<figure><figcaption>quantiles</figcaption>");
        html.append(Plots.quantiles(feature.online(), feature.offline()));
        add("</figure>\n</div>\n");
      }
      figures(feature);
      add("</article>\n");
    }
    add("</div>\n");
  }

  private void figures(Verification.OfFeature feature) {
    List<String> names = new ArrayList<>(List.of("nulls", "null rate", "distinct"));
    if (feature.online().isNumeric()) {
      names.addAll(List.of("not finite", "mean", "variance", "min"));
      for (double share : VerifySummary.QUANTILES) {
        names.add(Numbers.quantileName(share));
      }
      names.add("max");
    }
    List<String> online = figures(feature.online());
    List<String> offline = figures(feature.offline());
    add("<div class=\"figures\"><table>\n<tr><th></th>");
    names.forEach(name -> add("<th>%s</th>", name));
    add("</tr>\n");
    side("online", online, offline);
    side("offline", offline, online);
    add("</table></div>\n");
  }

  private void side(String side, List<String> figures, List<String> others) {
    add("<tr><td class=\"%s\">%s</td>", side, side.equals("online") ? "online" : "in the snapshot");
    for (int i = 0; i < figures.size(); i++) {
      boolean isSame = figures.get(i).equals(others.get(i));
      add("<td%s>%s</td>", isSame ? Markup.NONE : new Markup(" class=\"differs\""), figures.get(i));
    }
    add("</tr>\n");
  }

  private static List<String> figures(Statistics statistics) {
    List<String> figures = new ArrayList<>();
    figures.add(count(statistics.nulls()));
    figures.add(Numbers.percent(statistics.nullRate()));
    figures.add(count(statistics.distinct()));
    if (statistics.isNumeric()) {
      figures.add(count(statistics.notFinite()));
      List<OptionalDouble> numbers =
          new ArrayList<>(List.of(statistics.mean(), statistics.variance(), statistics.min()));
      for (double share : VerifySummary.QUANTILES) {
        numbers.add(statistics.quantile(share));
      }
      numbers.add(statistics.max());
      numbers.forEach(number -> figures.add(Numbers.of(number)));
    }
    return figures;
  }

  private static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  /** Markup that is not to be escaped. */
  private record Markup(String html) {
    private static final Markup NONE = new Markup("");
  }

  /** Adds markup with text in it, which is escaped. */
  private void add(String markup, Object... texts) {
    Object[] escaped = new Object[texts.length];
    for (int i = 0; i < texts.length; i++) {
      escaped[i] =
          texts[i] instanceof Markup inner ? inner.html() : Html.escape(texts[i].toString());
    }
    html.append(texts.length == 0 ? markup : String.format(markup, escaped));
  }

  private static String style() {
    try {
      return Resources.toString(
          Resources.getResource(Report.class, "report.css"), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
