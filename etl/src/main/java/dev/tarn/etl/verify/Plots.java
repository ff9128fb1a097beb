package dev.tarn.etl.verify;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Draws plots of a numeric feature as inline SVG: the snapshot as filled shapes, the online values
 * as a line over them. If both agree the line follows the shape. Hovering shows the numbers.
 */
final class Plots {

  private static final int WIDTH = 480;
  private static final int HEIGHT = 190;
  private static final int LEFT = 46;
  private static final int RIGHT = 10;
  private static final int TOP = 10;
  private static final int BOTTOM = 24;

  /** Gap between the outermost bins and those of the values beyond. */
  private static final int GAP = 6;

  private static final int BEYOND = 14;

  private Plots() {}

  /** Draws how many values fall into each bin. */
  static String histogram(Statistics online, Statistics offline) {
    Bins bins = offline.bins();
    long most = most(online, offline);
    if (most == 0) {
      return nothing("no numbers");
    }
    boolean hasBelow = online.bar(0) + offline.bar(0) > 0;
    boolean hasAbove = online.bar(bins.count() + 1) + offline.bar(bins.count() + 1) > 0;
    double from = LEFT + (hasBelow ? BEYOND + GAP : 0);
    double to = WIDTH - RIGHT - (hasAbove ? BEYOND + GAP : 0);
    double barWidth = (to - from) / Math.max(1, bins.count());
    StringBuilder svg = new StringBuilder();
    for (double tick : Ticks.of(0, (double) most, 6)) {
      if (tick == Math.rint(tick)) {
        line(svg, LEFT, y(tick / most), WIDTH - RIGHT, y(tick / most));
        text(svg, LEFT - 7, y(tick / most) + 4, "end", Ticks.text(tick));
      }
    }
    List<Bar> bars = new ArrayList<>();
    if (hasBelow) {
      bars.add(new Bar(0, LEFT, BEYOND, "below " + Numbers.of(bins.start(1))));
    }
    for (int bin = 1; bin <= bins.count(); bin++) {
      String what = Numbers.of(bins.start(bin)) + " to " + Numbers.of(bins.start(bin + 1));
      bars.add(new Bar(bin, from + (bin - 1) * barWidth, barWidth, what));
    }
    if (hasAbove) {
      int last = bins.count() + 1;
      bars.add(
          new Bar(last, to + GAP, BEYOND, "from " + Numbers.of(bins.start(last)) + " upwards"));
    }
    for (Bar bar : bars) {
      boolean isBeyond = bar.bin() == 0 || bar.bin() > bins.count();
      double inset = bar.width() > 4 ? 0.5 : 0;
      rectangle(
          svg,
          isBeyond ? "beyond" : "bar",
          bar.x() + inset,
          (double) offline.bar(bar.bin()) / most,
          bar.width() - 2 * inset);
    }
    StringBuilder step = new StringBuilder();
    double end = Double.NaN;
    for (Bar bar : bars) {
      double top = y((double) online.bar(bar.bin()) / most);
      if (!(Math.abs(bar.x() - end) <= 1)) {
        step.append(
            Double.isNaN(end)
                ? f("M%.1f %.1f", bar.x(), y(0))
                : f("V%.1fM%.1f %.1f", y(0), bar.x(), y(0)));
      }
      end = bar.x() + bar.width();
      step.append(f("V%.1fH%.1f", top, end));
    }
    step.append(f("V%.1f", y(0)));
    svg.append("<path class=\"step\" d=\"").append(step).append("\"/>");
    line(svg, LEFT, y(0), WIDTH - RIGHT, y(0));
    double high = bins.start(bins.count() + 1);
    for (double tick : Ticks.of(bins.low(), high, 6)) {
      double x = from + (to - from) * ((tick - bins.low()) / (high - bins.low()));
      text(svg, x, HEIGHT - 7, "middle", Ticks.text(tick));
    }
    for (Bar bar : bars) {
      svg.append(
          f(
              "<rect class=\"hit\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>%s: %,d online, %,d in the snapshot</title></rect>",
              bar.x(),
              TOP,
              bar.width(),
              HEIGHT - TOP - BOTTOM,
              Html.escape(bar.what()),
              online.bar(bar.bin()),
              offline.bar(bar.bin())));
    }
    return svg("histogram", svg);
  }

  /** Draws the quantiles. */
  static String quantiles(Statistics online, Statistics offline) {
    Bins bins = offline.bins();
    if (online.numbers() + offline.numbers() == 0 || bins.count() == 0) {
      return nothing("no numbers");
    }
    double low = bins.low();
    double high = bins.start(bins.count() + 1);
    StringBuilder svg = new StringBuilder();
    for (double tick : Ticks.of(low, high, 6)) {
      double y = y(share(tick, low, high));
      line(svg, LEFT, y, WIDTH - RIGHT, y);
      text(svg, LEFT - 7, y + 4, "end", Ticks.text(tick));
    }
    for (int percent = 0; percent <= 100; percent += 25) {
      text(
          svg,
          x(percent),
          HEIGHT - 7,
          percent == 100 ? "end" : "middle",
          percent == 50 ? "median" : percent + " %");
    }
    curve(svg, "curve", offline, low, high);
    curve(svg, "step", online, low, high);
    for (int percent = 0; percent <= 100; percent += 5) {
      svg.append(
          f(
              "<rect class=\"hit\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>%d %%: %s online, %s in the snapshot</title></rect>",
              x(percent - 2.5),
              TOP,
              x(5) - x(0),
              HEIGHT - TOP - BOTTOM,
              percent,
              Numbers.of(online.quantile(percent / 100.0)),
              Numbers.of(offline.quantile(percent / 100.0))));
    }
    return svg("quantiles", svg);
  }

  /** Draws the histogram in the size of a word. */
  static String spark(Statistics online, Statistics offline) {
    long most = most(online, offline);
    if (most == 0) {
      return "";
    }
    int bins = offline.bins().count() + 2;
    double width = 120.0 / bins;
    StringBuilder svg = new StringBuilder();
    StringBuilder step = new StringBuilder("M0 25");
    for (int bin = 0; bin < bins; bin++) {
      double height = 24.0 * offline.bar(bin) / most;
      svg.append(
          f(
              "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
              bin * width, 25 - height, width, height));
      step.append(f("V%.1fH%.1f", 25 - 24.0 * online.bar(bin) / most, (bin + 1) * width));
    }
    return "<svg class=\"spark\" viewBox=\"0 0 120 26\" role=\"img\" aria-label=\"histogram\">"
        + svg
        + "<path class=\"step\" d=\""
        + step
        + "V25\"/></svg>";
  }

  private record Bar(int bin, double x, double width, String what) {}

  private static long most(Statistics online, Statistics offline) {
    long most = 0;
    for (int bin = 0; bin <= offline.bins().count() + 1; bin++) {
      most = Math.max(most, Math.max(online.bar(bin), offline.bar(bin)));
    }
    return most;
  }

  private static void curve(
      StringBuilder svg, String kind, Statistics statistics, double low, double high) {
    if (statistics.numbers() == 0) {
      return;
    }
    StringBuilder path = new StringBuilder();
    for (int percent = 0; percent <= 100; percent++) {
      double value = statistics.quantile(percent / 100.0).orElseThrow();
      double share = Math.max(0, Math.min(1, share(value, low, high)));
      path.append(path.isEmpty() ? 'M' : 'L').append(f("%.1f %.1f", x(percent), y(share)));
    }
    svg.append("<path class=\"").append(kind).append("\" d=\"").append(path).append("\"/>");
  }

  private static double share(double value, double low, double high) {
    return (value / 2 - low / 2) / (high / 2 - low / 2);
  }

  private static double x(double percent) {
    return LEFT + (WIDTH - LEFT - RIGHT) * percent / 100;
  }

  private static double y(double share) {
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;
  }

  private static void rectangle(
      StringBuilder svg, String kind, double x, double share, double width) {
    svg.append(
        f(
            "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            kind, x, y(share), width, y(0) - y(share)));
  }

  private static void line(StringBuilder svg, double x1, double y1, double x2, double y2) {
    svg.append(f("<path class=\"grid\" d=\"M%.1f %.1fL%.1f %.1f\"/>", x1, y1, x2, y2));
  }

  private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
    svg.append(
        f(
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
            x, y, anchor, Html.escape(text)));
  }

  private static String nothing(String why) {
    StringBuilder svg = new StringBuilder();
    text(svg, WIDTH / 2.0, HEIGHT / 2.0, "middle", why);
    return svg(why, svg);
  }

  private static String svg(String label, StringBuilder content) {
    return f("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", WIDTH, HEIGHT, label)
        + content
        + "</svg>";
  }

  private static String f(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
