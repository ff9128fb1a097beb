package dev.tarn.etl;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * Computes the features of {@code customer_orders}, as docs/examples/online-retail.md describes
 * them, a second time from the files. It uses nothing but the JDK: no Spark, no SQL, none of Tarn's
 * code.
 */
final class RetailOrders {

  /** The features of one customer, in the definition's order. */
  record Features(
      Optional<BigDecimal> averageOrderValue,
      long orders,
      Optional<Long> daysSinceLastOrder,
      long distinctProducts,
      Optional<Double> returnedLineShare,
      Optional<String> favouriteCountry) {

    static final int COUNT = 6;
  }

  private record Line(
      String invoice,
      String stockCode,
      BigDecimal amount,
      LocalDateTime at,
      String country,
      boolean isReturn) {

    boolean isGoods() {
      return !NO_GOODS.contains(stockCode.toUpperCase(Locale.ROOT));
    }
  }

  private static final List<String> HEADER =
      List.of(
          "InvoiceNo",
          "StockCode",
          "Description",
          "Quantity",
          "InvoiceDate",
          "UnitPrice",
          "CustomerID",
          "Country");

  private static final Set<String> NO_GOODS =
      Set.of("POST", "DOT", "C2", "M", "D", "S", "B", "CRUK", "BANK CHARGES", "AMAZONFEE");

  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss");

  private final Map<Long, List<Line>> linesOf = new HashMap<>();
  private final RetailWindows windows = new RetailWindows();
  private long lines;

  private RetailOrders() {}

  /** Reads all files of the folder. */
  static RetailOrders read(Path folder) throws IOException {
    RetailOrders orders = new RetailOrders();
    List<Path> files;
    try (Stream<Path> found = Files.list(folder)) {
      files = found.filter(file -> file.toString().endsWith(".csv.gz")).toList();
    }
    for (Path file : files) {
      try (InputStream in = new GZIPInputStream(Files.newInputStream(file))) {
        List<List<String>> records = parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        if (!records.get(0).equals(HEADER)) {
          throw new IOException(file + " begins with " + records.get(0));
        }
        for (List<String> fields : records.subList(1, records.size())) {
          if (fields.size() != HEADER.size()) {
            throw new IOException(file + " has a line of " + fields);
          }
          orders.add(fields);
        }
      }
    }
    return orders;
  }

  /** What {@code customer_recent} is made of. */
  RetailWindows windows() {
    return windows;
  }

  /** Lines read, with those that have no customer. */
  long lines() {
    return lines;
  }

  /** The features of every customer that has a line from before the as-of (in UTC), by number. */
  SortedMap<Long, Features> asOf(LocalDateTime asOf) {
    SortedMap<Long, Features> features = new TreeMap<>();
    linesOf.forEach(
        (customer, all) -> {
          List<Line> seen = all.stream().filter(line -> line.at().isBefore(asOf)).toList();
          if (!seen.isEmpty()) {
            features.put(customer, features(seen, asOf));
          }
        });
    return features;
  }

  private void add(List<String> fields) {
    lines++;
    if (fields.get(6).isEmpty()) {
      return;
    }
    // 17850.0: a number that was once kept as a double.
    long customer = new BigDecimal(fields.get(6)).longValueExact();
    int quantity = Integer.parseInt(fields.get(3));
    Line line =
        new Line(
            fields.get(0),
            fields.get(1),
            new BigDecimal(fields.get(5)).multiply(BigDecimal.valueOf(quantity)),
            LocalDateTime.parse(fields.get(4), TIME),
            fields.get(7),
            quantity < 0 || fields.get(0).startsWith("C"));
    linesOf.computeIfAbsent(customer, c -> new ArrayList<>()).add(line);
    if (line.isGoods() && !line.isReturn()) {
      windows.add(
          customer,
          new RetailWindows.Line(
              line.stockCode(),
              quantity,
              new BigDecimal(fields.get(5)).setScale(3),
              line.at().toInstant(ZoneOffset.UTC)));
    }
  }

  private static Features features(List<Line> lines, LocalDateTime asOf) {
    Map<String, LocalDateTime> orders = new HashMap<>();
    Map<String, String> countries = new HashMap<>();
    Set<String> products = new HashSet<>();
    BigDecimal value = BigDecimal.ZERO;
    long goods = 0;
    long returned = 0;
    for (Line line : lines) {
      if (!line.isGoods()) {
        continue;
      }
      goods++;
      if (line.isReturn()) {
        returned++;
        continue;
      }
      orders.merge(line.invoice(), line.at(), (a, b) -> a.isAfter(b) ? a : b);
      countries.put(line.invoice(), line.country());
      products.add(line.stockCode());
      value = value.add(line.amount());
    }
    Optional<LocalDateTime> newest = orders.values().stream().max(Comparator.naturalOrder());
    return new Features(
        orders.isEmpty()
            ? Optional.empty()
            : Optional.of(value.divide(BigDecimal.valueOf(orders.size()), 2, RoundingMode.HALF_UP)),
        orders.size(),
        newest.map(at -> ChronoUnit.DAYS.between(at, asOf)),
        products.size(),
        goods == 0 ? Optional.empty() : Optional.of((double) returned / goods),
        favourite(orders, countries));
  }

  private static Optional<String> favourite(
      Map<String, LocalDateTime> orders, Map<String, String> countries) {
    Map<String, Integer> count = new HashMap<>();
    Map<String, LocalDateTime> newest = new HashMap<>();
    orders.forEach(
        (invoice, at) -> {
          String country = countries.get(invoice);
          count.merge(country, 1, Integer::sum);
          newest.merge(country, at, (a, b) -> a.isAfter(b) ? a : b);
        });
    return count.keySet().stream()
        .filter(country -> !country.equals("Unspecified"))
        .max(
            Comparator.comparing((String country) -> count.get(country))
                .thenComparing(newest::get)
                .thenComparing(Comparator.naturalOrder()));
  }

  /** Records of fields: quotes around a field may hold commas, line ends and quotes, doubled. */
  private static List<List<String>> parse(String csv) {
    List<List<String>> records = new ArrayList<>();
    List<String> fields = new ArrayList<>();
    StringBuilder field = new StringBuilder();
    boolean isQuoted = false;
    for (int i = 0; i < csv.length(); i++) {
      char c = csv.charAt(i);
      if (isQuoted && c == '"' && i + 1 < csv.length() && csv.charAt(i + 1) == '"') {
        field.append(c);
        i++;
      } else if (c == '"') {
        isQuoted = !isQuoted;
      } else if (!isQuoted && c == ',') {
        fields.add(field.toString());
        field.setLength(0);
      } else if (!isQuoted && c == '\n') {
        fields.add(field.toString());
        field.setLength(0);
        records.add(fields);
        fields = new ArrayList<>();
      } else if (isQuoted || c != '\r') {
        field.append(c);
      }
    }
    if (!fields.isEmpty() || field.length() > 0) {
      fields.add(field.toString());
      records.add(fields);
    }
    return records;
  }
}
