package dev.tarn.bench.stream;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The definitions of live views over the payments. */
public final class LiveViews {

  /** The source, and its topic. */
  public static final String SOURCE = "payments";

  private static final String HEAD =
      """
      entities { user { keys = [{ name = user_id, type = bigint }] } }
      sources {
        payments {
          format = kafka
          topic = payments
          value = json
          schema = "payment_id STRING, user_id BIGINT, amount DECIMAL(12,2), score DOUBLE, merchant STRING, event_time TIMESTAMP"
          epoch = microseconds
          timestamp = event_time
          table = "events.payments"
          %s
        }
      }
      """;

  private static final String EVENT_ID = "event-id = payment_id, event-id-horizon = 10m";

  /** The view that {@link Oracle} knows. */
  public static final String LAWS = "user_recent";

  private static final String OF_LAWS =
      """
      feature-views {
        user_recent {
          entity = user
          source = payments
          where = "amount >= 1.00"
          live { max-lag = 30s, segment = 128 }
          features = [
            { name = n_10s, aggregate = count, window = 10s }
            { name = spend_1m, aggregate = sum, of = "amount", window = 1m }
            { name = score_1h, aggregate = sum, of = "score", window = 1h }
            { name = most_1h, aggregate = max, of = "score", window = 1h }
            { name = least_1d, aggregate = min, of = "amount", window = 1d }
            { name = merchants_1d, aggregate = count-distinct, of = "merchant", window = 1d }
            { name = last_3, aggregate = { last = 3 }, of = "merchant", window = 7d }
            { name = score_30d, aggregate = sum, of = "score", window = 30d }
            { name = spend, aggregate = sum, of = "amount" }
            { name = n, aggregate = count }
          ]
        }
      }
      feature-services { recent { features = [%s] } }
      """;

  /** The view with five windows. */
  public static final String FIVE = "user_five";

  /** The views with ten features, live and not. */
  public static final String TEN = "user_ten";

  /** See {@link #TEN}. */
  public static final String TEN_BUILT = "user_ten_built";

  /** The windows of {@link #FIVE}. */
  static final String[] WINDOWS = {"1m", "1h", "1d", "7d", "30d"};

  private LiveViews() {}

  /** Writes what the laws are tried with. */
  public static void defineLaws(Path folder) throws IOException {
    define(
        folder,
        HEAD.formatted(EVENT_ID)
            + OF_LAWS.formatted("user_recent." + String.join(", user_recent.", Oracle.FEATURES)));
  }

  /** Writes what speed is measured with. */
  public static void defineSpeed(Path folder) throws IOException {
    define(
        folder,
        HEAD.formatted("")
            + "feature-views {\n"
            + view(FIVE, "live { max-lag = 60s }", false)
            + view(TEN, "live { max-lag = 60s }", true)
            + view(TEN_BUILT, "", true)
            + "}\n");
  }

  private static void define(Path folder, String hocon) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("live.conf"), hocon);
  }

  private static String view(String name, String live, boolean counts) {
    StringBuilder features = new StringBuilder();
    for (String window : WINDOWS) {
      features.append(
          "{ name = %s_spend_%s, aggregate = sum, of = \"amount\", window = %2$s }%n"
              .formatted(name, window));
      if (counts) {
        features.append(
            "{ name = %s_n_%s, aggregate = count, window = %2$s }%n".formatted(name, window));
      }
    }
    return "%s { entity = user, source = payments, %s\n features = [%n%s] }%n"
        .formatted(name, live, features);
  }
}
