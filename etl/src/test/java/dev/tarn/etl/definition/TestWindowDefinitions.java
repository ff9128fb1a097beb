package dev.tarn.etl.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TestWindowDefinitions {

  private static final String SOURCES =
      """
      entities { user { keys = [{ name = user_id, type = bigint }] } }
      sources {
        payments {
          format = json, path = /data/payments, timestamp = at
          schema = "user_id BIGINT, at TIMESTAMP, merchant STRING, amount DECIMAL(12,2), score FLOAT, qty INT, tags ARRAY<STRING>, odd MAP<STRING, INT>, place STRUCT<lat: DOUBLE, lon: DOUBLE>"
        }
        timeless { format = json, path = /data/payments, schema = "user_id BIGINT, amount INT" }
        keyless { format = json, path = /data/payments, timestamp = at, schema = "userid BIGINT, at TIMESTAMP, amount INT" }
        lake { format = iceberg, table = lake.raw.payments, timestamp = at }
      }
      """;

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "aggregate = count # bigint",
        "aggregate = count, of = merchant # bigint",
        "aggregate = sum, of = amount # decimal(22,2)",
        "aggregate = sum, of = \"qty * 2\" # bigint",
        "aggregate = sum, of = score # double",
        "aggregate = avg, of = qty # double",
        "aggregate = avg, of = amount # decimal(16,6)",
        "aggregate = max, of = score # float",
        "aggregate = min, of = merchant # string",
        "aggregate = variance, of = amount # double",
        "aggregate = stddev, of = qty # double",
        "aggregate = first, of = tags # array<string>",
        "aggregate = { last = 5 }, of = merchant # array<string>",
        "aggregate = count-distinct, of = merchant # bigint",
        "aggregate = seconds-since-last # bigint",
        "aggregate = sum, of = amount, type = \"decimal(22,2)\" # decimal(22,2)"
      })
  void theTypeOfAFeatureFollowsFromItsAggregate(String feature, String type) {
    FeatureView view = load("source = payments", feature + ", window = 7d").view("recent");
    assertThat(view.features().get(0).type().simpleString()).isEqualTo(type);
    assertThat(view.windows()).isPresent();
  }

  @ParameterizedTest
  @CsvSource({
    "1s, PT1S",
    "59s, PT1S",
    "1m, PT1S",
    "10m, PT10S",
    "1h, PT1M",
    "1d, PT10M",
    "7d, PT1H",
    "30d, PT1H",
    "90m, PT1M",
    "61m, PT1M",
    "3601s, PT1S"
  })
  void theResolutionHasADefaultForEachWindow(String window, String resolution) {
    assertThat(
            load("source = payments", "aggregate = count, window = " + window)
                .view("recent")
                .windows()
                .orElseThrow()
                .features()
                .get(0)
                .resolution())
        .hasToString(resolution);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "aggregate = summ, of = amount # there is no aggregate 'summ'; did you mean 'sum'?",
        "aggregate = median, of = amount # there is no aggregate 'median'; there are: count",
        "of = amount # aggregate is missing: aggregate = count",
        "aggregate = sum # of is missing: sum of which value? of = \"amount\"",
        "aggregate = sum, of = amuont # of = amuont does not resolve",
        "aggregate = sum, of = \"amount +\" # of = amount + does not resolve",
        "aggregate = sum, of = merchant # there is no sum of string: of = merchant",
        "aggregate = max, of = tags # there is no max of array<string>: of = tags; take one of its elements, such as of = \"tags[0]\", or their number, of = \"size(tags)\"",
        "aggregate = max, of = place # there is no max of struct<lat:double,lon:double>: of = place; take one of its fields, such as of = \"place.lat\"",
        "aggregate = last, of = odd # of = odd is map<string,int>, which can't be served exactly; take one of its values, such as of = \"odd['key']\"; there are: boolean",
        "aggregate = sum, of = \"\" # of is empty: write Spark SQL on one event, such as the name of a column, or leave it out",
        "aggregate = count, of = \" \" # of is empty: write Spark SQL on one event",
        "aggregate = sum, of = \"rand()\" # of = rand() depends on chance or on the clock",
        "aggregate = max, of = \"current_timestamp()\" # depends on chance or on the clock",
        "aggregate = max, of = \"unix_timestamp()\" # depends on chance or on the clock",
        "aggregate = sum, of = \"sum(amount)\" # of = sum(amount) is no expression on one event",
        "aggregate = sum, of = \"count(*) OVER ()\" # is no expression on one event that gives one value",
        "aggregate = last, of = \"explode(tags)\" # is no expression on one event that gives one value",
        "aggregate = sum, of = \"(SELECT 1)\" # of = (SELECT 1)",
        "aggregate = count, window = 7d, resolution = 5h # window = 7d is no multiple of resolution = 5h: take a resolution that divides it, e.g. 1h",
        "aggregate = count, window = 90s, resolution = 1m # is no multiple of resolution = 1m",
        "aggregate = count, window = 30d, resolution = 1s # window = 30d has 2,592,000 cells of 1s, and at most 100,000 are kept",
        "aggregate = count, window = 1 week # window = 1 week is not a duration",
        "aggregate = count, window = 0s # window = 0s is not a duration",
        "aggregate = count, window = 999999999d, resolution = 99999d # window = 999999999d is longer than the years 0001 to 9999: leave it out to have all events",
        "aggregate = count, window = 1 ms # window = 1 ms is not a duration",
        "aggregate = count, resolution = 1h # resolution goes with window = …",
        "aggregate = { last = 0 }, of = merchant # { last = n } takes a number from 1 to 1,000",
        "aggregate = { last = 2.5 }, of = merchant # { last = n } takes a number from 1 to 1,000",
        "aggregate = { first = 2 }, of = merchant # there is no key 'first' here; there are: last",
        "aggregate = { last = five }, of = merchant # last is a number",
        "aggregate = {}, of = merchant # { last = n } takes a number from 1 to 1,000",
        "aggregate = sum, of = amount, type = double # type = double, but sum gives decimal(22,2); leave type out",
        "aggregate = count, widow = 7d # there is no key 'widow' here; did you mean 'window'?"
      })
  void anAggregateThatDoesNotFitIsRefusedWithItsLine(String feature, String message) {
    // The line of the feature, and each thing is told once.
    assertRefused(
        "source = payments", feature, "1 problem in the definitions\n  a.conf:16: ", message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      value = {
        "source = timeless # source 'timeless' has no timestamp, so its rows are no events; say timestamp = … in the source (a.conf:7)",
        "source = payment # there is no source 'payment'; did you mean 'payments'?",
        "source = payments, sql = \"SELECT 1\" # a view has sources and sql, or source and aggregates: leave out sql or source",
        "source = payments, where = \"amount\" # where = amount is decimal(12,2), and no condition",
        "source = payments, where = \"amuont > 1\" # where = amuont > 1 does not resolve",
        "source = payments, where = \"rand() < 0.5\" # where = rand() < 0.5 depends on chance",
        "source = payments, where = \"\" # where is empty: write Spark SQL on one event",
        "source = payments, keys { user_id = \"\" } # keys: user_id is empty: write Spark SQL on one event",
        "source = payments, keys { user_id = merchant } # key 'user_id' is string in source 'payments', and entity 'user' has it as bigint: keys { user_id = \"CAST(merchant AS bigint)\" }",
        "source = payments, keys { user_id = \"usr\" } # keys: user_id = usr does not resolve",
        "sources = [payments] # a window view has one source, and not a list: source = payments",
        "source = [payments, lake] # a window view has one source, and not a list: source = payments",
        "sources = payments # a window view has one source: source = payments",
        "tags = [a] # source is missing: source = payments",
        "source = payments, where = \"at > '10:15'\" # where = at > '10:15' depends on chance or on the clock",
        "source = payments, where = \"at > timestamp '10:15'\" # depends on chance or on the clock",
        "source = payments, where = \"at > 'yesterday'\" # depends on chance or on the clock"
      })
  void aViewThatDoesNotFitIsRefused(String view, String message) {
    assertRefused(view, "aggregate = count", "a.conf:", message);
  }

  @Test
  void allThatIsWrongIsToldAtOnce() {
    assertThatThrownBy(
            () ->
                load(
                    "sources = [payments], keys { user_id = merchant, usr = qty }, where = \"amount\"",
                    "aggregate = sum, of = merchant, window = 7d, resolution = 5h"))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll(
            "6 problems in the definitions",
            "a window view has one source",
            "keys: 'usr' is no key of entity 'user'",
            "key 'user_id' is string in source 'payments'",
            "where = amount is decimal(12,2), and no condition",
            "there is no sum of string",
            "window = 7d is no multiple of resolution = 5h");
  }

  @Test
  void anEntityWhoseKeyTheSourceDoesNotHaveIsToldWithTheRest() {
    assertThatThrownBy(() -> load("source = keyless", "aggregate = summ, of = amount, window = 7d"))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll(
            "2 problems in the definitions",
            "source 'keyless' of view 'recent' has no column 'user_id', a key of entity 'user'; did you mean 'userid'?",
            "there is no aggregate 'summ'");
  }

  @Test
  void filesAreNamedAsSeenFromWhereTheUserStands() {
    assertThat(Position.file(folder, folder.resolve("features/a.conf")))
        .isEqualTo("features/a.conf");
    assertThat(Position.file(folder.resolve("other"), folder.resolve("a.conf")))
        .isEqualTo(folder.resolve("a.conf").toString());
    assertThat(Position.file(folder.resolve("other/.."), folder.resolve("x/../a.conf")))
        .isEqualTo("a.conf");
  }

  @Test
  void aSourceWithoutASchemaNeedsTheType() {
    assertRefused(
        "source = lake",
        "aggregate = sum, of = amount",
        "a.conf:16: ",
        "type is missing: source 'lake' declares no schema");
    assertThat(
            load("source = lake", "aggregate = sum, of = amount, type = double")
                .view("recent")
                .features()
                .get(0)
                .type()
                .simpleString())
        .isEqualTo("double");
  }

  @Test
  void whatDecidesTheValuesIsInTheHash() {
    List<String> hashes =
        List.of(
                load("source = payments", "aggregate = count, window = 7d"),
                load("source = payments", "aggregate = count, window = 6d"),
                load("source = payments", "aggregate = count"),
                load("source = payments", "aggregate = count, window = 7d, resolution = 1d"),
                load("source = payments", "aggregate = count, of = merchant, window = 7d"),
                load("source = payments, where = \"qty > 1\"", "aggregate = count, window = 7d"))
            .stream()
            .map(definitions -> definitions.view("recent").definitionHash())
            .toList();
    assertThat(hashes).doesNotHaveDuplicates();
    assertThat(
            load("source = payments", "aggregate = count, window = 168h, resolution = 60m")
                .view("recent")
                .definitionHash())
        .isEqualTo(hashes.get(0));
  }

  private void assertRefused(String view, String feature, String place, String message) {
    assertThatThrownBy(() -> load(view, feature))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining(place)
        .hasMessageContaining(message);
  }

  private Definitions load(String view, String feature) {
    try {
      Files.writeString(
          folder.resolve("a.conf"),
          SOURCES
              + """
              feature-views {
                recent {
                  entity = user
                  %s
                  features = [
                    { name = value, %s }
                  ]
                }
              }
              """
                  .formatted(view, feature));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Definitions.load(folder, folder, ConfigFactory.empty());
  }
}
