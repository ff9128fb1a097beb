package dev.tarn.etl;

import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Computes the features of {@code customer_recent} a second time, by looking at all lines of a
 * customer for each as-of. It uses nothing but the JDK.
 */
final class RetailWindows {

  /** A line of goods that was ordered and not returned. */
  record Line(String stockCode, long quantity, BigDecimal unitPrice, Instant at) {}

  /** The features of one customer, in the definition's order. */
  record Features(
      long lines7d,
      Optional<BigDecimal> spend30d,
      Optional<Double> unitPrice30d,
      long products30d,
      long largestQuantity90d,
      List<String> lastProducts90d,
      long secondsSinceLine) {}

  private static final Duration HOUR = Duration.ofHours(1);
  private static final Duration DAY = Duration.ofDays(1);

  private final Map<Long, List<Line>> linesOf = new HashMap<>();

  void add(long customer, Line line) {
    linesOf.computeIfAbsent(customer, c -> new ArrayList<>()).add(line);
  }

  /** The features of every customer with a line in any of the windows, by number. */
  SortedMap<Long, Features> asOf(Instant asOf) {
    SortedMap<Long, Features> features = new TreeMap<>();
    linesOf.forEach(
        (customer, all) -> {
          List<Line> newest = within(all, asOf, 90, DAY);
          // The window of 90 days reaches furthest back.
          if (!newest.isEmpty()) {
            features.put(customer, features(all, newest, asOf));
          }
        });
    return features;
  }

  private static Features features(List<Line> all, List<Line> of90, Instant asOf) {
    List<Line> of30 = within(all, asOf, 30, HOUR);
    BigDecimal prices = BigDecimal.ZERO;
    BigDecimal spend = BigDecimal.ZERO;
    Set<String> products = new HashSet<>();
    for (Line line : of30) {
      // The exact value of the double nearest to the price.
      prices = prices.add(new BigDecimal(line.unitPrice().doubleValue()));
      spend = spend.add(line.unitPrice().multiply(BigDecimal.valueOf(line.quantity())));
      products.add(line.stockCode());
    }
    List<Line> sorted = new ArrayList<>(of90);
    sorted.sort(
        Comparator.comparing(Line::at)
            .thenComparing(
                line -> line.stockCode().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned)
            .reversed());
    return new Features(
        within(all, asOf, 7, HOUR).size(),
        of30.isEmpty() ? Optional.empty() : Optional.of(spend),
        of30.isEmpty()
            ? Optional.empty()
            : Optional.of(
                prices.divide(BigDecimal.valueOf(of30.size()), new MathContext(120)).doubleValue()),
        products.size(),
        of90.stream().mapToLong(Line::quantity).max().orElseThrow(),
        sorted.stream().limit(3).map(Line::stockCode).toList(),
        Duration.between(sorted.get(0).at(), asOf).toSeconds());
  }

  /** The lines of a window of days, cut into cells. */
  private static List<Line> within(List<Line> all, Instant asOf, int days, Duration cell) {
    long cells = Duration.ofDays(days).dividedBy(cell);
    long newest = Math.floorDiv(asOf.getEpochSecond(), cell.toSeconds());
    return all.stream()
        .filter(line -> !line.at().isAfter(asOf))
        .filter(
            line -> Math.floorDiv(line.at().getEpochSecond(), cell.toSeconds()) > newest - cells)
        .toList();
  }
}
