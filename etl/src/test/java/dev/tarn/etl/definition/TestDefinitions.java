package dev.tarn.etl.definition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.tarn.cli.UsageException;
import dev.tarn.manifest.FeatureTransforms;
import dev.tarn.manifest.Transform;
import dev.tarn.row.Values;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.types.DataTypes;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TestDefinitions {

  /** Right as it is; tests spoil one line, and its number is in what they expect. */
  private static final String SHOP =
      """
      entities {
        user { keys = [{ name = user_id, type = bigint }] }
        shop { keys = [{ name = city, type = string }, { name = opened, type = date }] }
      }
      sources {
        orders { format = parquet, path = ${tarn.state}"/orders", timestamp = at }
      }
      feature-views {
        spending {
          entity = user
          sources = [orders]
          sql = "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY 1"
          features = [
            { name = orders, type = bigint }
            { name = amount, type = double }
            { name = country, type = string }
          ]
          max-age = 2d
          checks {
            not-null = [orders]
            range { amount { min = 0 } }
            accepted-values { country = [DE, FR] }
            min-rows = 1
          }
        }
        shops {
          entity = shop
          sources = [orders]
          sql = "SELECT city, opened, 1L AS visits FROM orders"
          features = [{ name = visits, type = bigint }]
        }
      }
      feature-services {
        fraud { features = [spending.orders, spending.amount] }
      }
      """;

  private static final Config SETTINGS = ConfigFactory.parseString("tarn.state = /data/.tarn");

  @TempDir Path folder;

  @Test
  void aRightDefinitionIsReadWhole() {
    Definitions definitions = load(SHOP);
    FeatureView view = definitions.view("spending");
    assertThat(view.entity().keyNames()).containsExactly("user_id");
    assertThat(view.sources()).extracting(Source::name).containsExactly("orders");
    assertThat(view.features())
        .extracting(Feature::name)
        .containsExactly("orders", "amount", "country");
    assertThat(view.maxAge()).contains(Duration.ofDays(2));
    assertThat(view.checks()).hasSize(4);
    assertThat(view.position()).hasToString("a.conf:9");
    assertThat(((SqlQuery) view.computation()).position()).hasToString("a.conf:12");
    FeatureService fraud = definitions.services().iterator().next();
    assertThat(fraud.features()).containsExactly("spending.orders", "spending.amount");
    assertThat(fraud.entity().name()).isEqualTo("user");
    assertThat(fraud.uses(view)).isTrue();
    assertThat(fraud.uses(definitions.view("shops"))).isFalse();
  }

  @Test
  void aServicesFeaturesMayHaveTransforms() {
    FeatureService fraud =
        load(change(
                "features = [spending.orders, spending.amount]",
                "features = [spending.orders,"
                    + " { feature = spending.amount, transform = [{ fill = 1.5 }, log1p, { clip { max = 9 } }, standardize] },"
                    + " { feature = spending.country, transform = [{ fill = DE }, { one-hot { values = [DE, FR] } }] }]"))
            .service("fraud");
    assertThat(fraud.features())
        .containsExactly("spending.orders", "spending.amount", "spending.country");
    assertThat(fraud.transforms())
        .extracting(FeatureTransforms::getFeatureName)
        .containsExactly("spending.amount", "spending.country");
    List<Transform> amount = fraud.transforms().get(0).getStepsList();
    assertThat(amount)
        .extracting(Transform::getKindCase)
        .containsExactly(
            Transform.KindCase.FILL,
            Transform.KindCase.LOG1P,
            Transform.KindCase.CLIP,
            Transform.KindCase.STANDARDIZE);
    assertThat(amount.get(0).getFill().getNumber()).isEqualTo(1.5);
    assertThat(amount.get(2).getClip().hasMin()).isFalse();
    assertThat(amount.get(2).getClip().getMax()).isEqualTo(9);
    assertThat(amount).extracting(Transform::getFit).containsExactly(false, false, false, true);
    List<Transform> country = fraud.transforms().get(1).getStepsList();
    assertThat(country.get(0).getFill().getText()).isEqualTo("DE");
    assertThat(country.get(1).getOneHot().getValuesList()).containsExactly("DE", "FR");
  }

  @Test
  void transformsThatDoNotFitAreRefusedWithTheirLine() {
    assertTransformsRefused(
        "spending.amount",
        "standardise",
        "there is no transform 'standardise'; did you mean 'standardize'?");
    assertTransformsRefused(
        "spending.country",
        "log1p",
        "a string is no number: end its transforms with one-hot or hash");
    assertTransformsRefused(
        "spending.amount",
        "one-hot",
        "one-hot takes string, boolean, int and bigint, and this is double");
    assertTransformsRefused(
        "spending.amount", "{ clip { min = 2, max = 1 } }", "min is not above max");
    assertTransformsRefused(
        "spending.amount", "{ standardize { mean = 2 } }", "standardize has mean and std");
    assertTransformsRefused(
        "spending.amount",
        "{ standardize { mean = 2, std = 1, sd = 2 } }",
        "there is no key 'sd' here; did you mean 'std'?");
    assertTransformsRefused("spending.orders", "fill", "fill can't be fitted: { fill = 0 }");
    assertTransformsRefused("spending.orders", "{ hash = 0.5 }", "hash is from 1 to 16777216");
    assertTransformsRefused("spending.orders", "{ fill = x }", "fill is a number");
    assertRefused(
        change(
            "fraud { features = [spending.orders,",
            "fraud { features = [{ feature = spending.orders, transfrom = [log1p] },"),
        "a.conf:34: there is no key 'transfrom' here; did you mean 'transform'?");
  }

  private void assertTransformsRefused(String feature, String transform, String message) {
    assertRefused(
        change(
            "fraud { features = [spending.orders, spending.amount]",
            "fraud { features = [{ feature = %s, transform = [%s] }]"
                .formatted(feature, transform)),
        "a.conf:34: " + message);
  }

  @Test
  void anEntityMayHaveSeveralKeyColumnsInItsOrder() {
    Entity shop = load(SHOP).view("shops").entity();
    assertThat(shop.keys())
        .containsExactly(
            new Entity.KeyColumn("city", DataTypes.StringType),
            new Entity.KeyColumn("opened", DataTypes.DateType));
  }

  @Test
  void settingsCanBeSubstituted() {
    assertThat(load(SHOP).sources().iterator().next().location()).isEqualTo("/data/.tarn/orders");
    assertRefused(
        SHOP.replace("${tarn.state}", "${tarn.sate}"),
        "a.conf:6: Could not resolve substitution to a value: ${tarn.sate}");
  }

  @Test
  void definitionsMayBeSpreadOverFilesAndFoldersInAnyOrder() throws IOException {
    int views = SHOP.indexOf("feature-views {");
    Files.createDirectories(folder.resolve("z/deep"));
    Files.writeString(folder.resolve("z/deep/entities.conf"), SHOP.substring(0, views));
    Files.writeString(folder.resolve("a.conf"), SHOP.substring(views));
    Files.writeString(folder.resolve("README.md"), "not { a definition");
    Definitions definitions = load();
    assertThat(definitions.views())
        .extracting(FeatureView::name)
        .containsExactly("spending", "shops");
    assertThat(definitions.entities().iterator().next().position())
        .hasToString("z/deep/entities.conf:2");
  }

  @Test
  void unknownKeysAreRefusedAtEveryLevel() {
    assertRefused(
        SHOP + "entites {}", "a.conf:36: there is no key 'entites' here; did you mean 'entities'?");
    assertRefused(
        change("shop { keys", "shop { ownr = me, keys"),
        "a.conf:3: there is no key 'ownr' here; did you mean 'owner'?");
    assertRefused(
        change("[{ name = city,", "[{ name = city, typ = x,"),
        "a.conf:3: there is no key 'typ' here; did you mean 'type'?");
    assertRefused(
        change("timestamp = at", "timestamp = at, option { header = true }"),
        "a.conf:6: there is no key 'option' here; did you mean 'options'?");
    assertRefused(
        change("max-age = 2d", "max_age = 2d"),
        "a.conf:18: there is no key 'max_age' here; did you mean 'max-age'?");
    assertRefused(
        change("{ name = amount, type = double }", "{ name = amount, type = double, defualt = 0 }"),
        "a.conf:15: there is no key 'defualt' here; did you mean 'default'?");
    assertRefused(
        change("not-null = [orders]", "non-null = [orders]"),
        "a.conf:20: there is no key 'non-null' here; did you mean 'not-null'?");
    assertRefused(
        change("{ min = 0 }", "{ minimum = 0, min = 0 }"),
        "a.conf:21: there is no key 'minimum' here; there are: max, min");
    assertRefused(
        change("fraud { features", "fraud { version = 2, features"),
        "a.conf:34: there is no key 'version' here; there are: description, features, owner");
  }

  @Test
  void misspeltNamesAreRefusedWithTheNearestOne() {
    assertRefused(
        change("entity = user", "entity = usr"),
        "a.conf:10: there is no entity 'usr'; did you mean 'user'?");
    assertRefused(
        change("sources = [orders]", "sources = [order]"),
        "a.conf:11: there is no source 'order'; did you mean 'orders'?");
    assertRefused(
        change("[spending.orders,", "[spendng.orders,"),
        "a.conf:34: there is no feature view 'spendng'; did you mean 'spending'?");
    assertRefused(
        change("[spending.orders,", "[spending.oders,"),
        "a.conf:34: view 'spending' has no feature 'oders'; did you mean 'orders'?");
    assertRefused(
        change("[spending.orders,", "[orders,"), "a.conf:34: 'orders' is not view.feature");
    assertRefused(
        change("not-null = [orders]", "not-null = [order]"),
        "a.conf:20: there is no feature 'order'; did you mean 'orders'?");
    assertRefused(
        change("range { amount {", "range { amunt {"),
        "a.conf:21: there is no feature 'amunt'; did you mean 'amount'?");
    assertRefused(
        change("{ country = [DE, FR] }", "{ land = [DE, FR] }"),
        "a.conf:22: there is no feature 'land'; there are: orders, amount, country");
    assertThatThrownBy(() -> load(SHOP).view("spendings"))
        .isInstanceOf(UsageException.class)
        .hasMessage("there is no feature view 'spendings'; did you mean 'spending'?");
  }

  @Test
  void whatIsMissingIsNamedWithAnExample() {
    assertRefused(change("  entity = user\n", ""), "a.conf:9: entity is missing: entity = user");
    assertRefused(
        change("  sources = [orders]\n", ""),
        "a.conf:9: sources is missing: sources = [transactions] for SQL, or source = transactions for windows");
    assertRefused(
        change("sql = \"SELECT city, opened, 1L AS visits FROM orders\"", ""),
        "a.conf:26: sql is missing: sql = \"\"\"SELECT … FROM … WHERE … :as_of … GROUP BY …\"\"\"");
    assertRefused(
        change("features = [{ name = visits, type = bigint }]", ""),
        "a.conf:26: features is missing: features = [{ name = amount, type = double }]");
    assertRefused(
        change("{ name = orders, type = bigint }", "{ name = orders }"),
        "a.conf:14: type is missing: type = bigint",
        "a.conf:20: there is no feature 'orders'; there are: amount, country",
        "a.conf:34: view 'spending' has no feature 'orders'; there are: amount, country");
    assertRefused(
        change("{ format = parquet, path", "{ path"),
        "a.conf:6: format is missing: format = parquet",
        "a.conf:11: there is no source 'orders'",
        "a.conf:28: there is no source 'orders'");
    assertRefused(
        change("user { keys = [{ name = user_id, type = bigint }] }", "user {}"),
        "a.conf:2: keys is missing: keys = [{ name = user_id, type = bigint }]");
    assertRefused(
        change("user { keys = [{ name = user_id, type = bigint }] }", "user { keys = [] }"),
        "a.conf:2: keys is missing: keys = [{ name = user_id, type = bigint }]");
    assertRefused(
        change("fraud { features = [spending.orders, spending.amount] }", "fraud {}"),
        "a.conf:34: features is missing: features = [user_activity.amount]");
  }

  @Test
  void whatASourceSaysOfItsFilesIsChecked() {
    String text = "format = json, schema = \"at TIMESTAMP\", path = ";
    assertRefused(
        change("format = parquet, path = ", "epoch = minutes, " + text),
        "a.conf:6: epoch = minutes is none of seconds, milliseconds, microseconds");
    assertRefused(
        change("format = parquet, ", "format = parquet, epoch = seconds, "),
        "a.conf:6: epoch is for numbers in CSV and JSON");
    assertRefused(
        change("format = parquet, ", "format = parquet, missing-columns = zero, "),
        "a.conf:6: missing-columns = zero: there is null, and without it such files are refused");
    assertRefused(
        change("format = parquet, ", "format = parquet, missing-times = keep, "),
        "a.conf:6: missing-times = keep: there is skip, and without it such rows are refused");
    Source source =
        load(change(
                "format = parquet, path = ",
                "epoch = milliseconds, missing-columns = null, missing-times = skip, " + text))
            .sources()
            .iterator()
            .next();
    assertThat(source.epoch()).contains(Epoch.MILLISECONDS);
    assertThat(source.allowsMissingColumns()).isTrue();
    assertThat(source.skipsMissingTimes()).isTrue();
  }

  @Test
  void aFileThatIsNotUtf8IsRefused() throws IOException {
    Files.write(
        folder.resolve("a.conf"), "# text\n# Müller\n".getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> load())
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("a.conf:2: this is not UTF-8; save the file as UTF-8");
  }

  @Test
  void valuesOfTheWrongKindAreRefused() {
    assertRefused(
        change("sources = [orders]", "sources = orders"),
        "a.conf:11: sources is a list: sources = [a, b]");
    assertRefused(
        change("sources = [orders]", "sources = [[orders]]"),
        "a.conf:11: sources is a list of names: [a, b]");
    assertRefused(
        change("not-null = [orders]", "not-null = [null]"),
        "a.conf:20: not-null: null is no value of a list: leave it out, or write the text \"null\" in quotes");
    assertRefused(change("min-rows = 1", "min-rows = many"), "a.conf:23: min-rows is a number");
    assertRefused(
        change("min-rows = 1", "min-rows = 1.5"),
        "a.conf:23: min-rows is a whole number from 0 up");
    assertRefused(
        change("min-rows = 1", "max-row-count-change = -0.1"),
        "a.conf:23: max-row-count-change is a share from 0 up: 0.1 is a tenth");
    assertRefused(change("{ min = 0 }", "{}"), "a.conf:21: a range has min, max or both");
    assertRefused(
        change("range { amount {", "range { country {"),
        "a.conf:21: a range is for numbers, and 'country' is string");
    assertRefused(change("entity = user", "entity { user {} }"), "a.conf:10: entity is a text");
    assertRefused(
        SHOP.replace("feature-services {", "feature-services = 5\nx {"),
        "a.conf:33: feature-services is an object: feature-services { … }",
        "a.conf:34: there is no key 'x' here; there are: entities, feature-services,"
            + " feature-views, sources");
  }

  @Test
  void typesThatCannotBeServedExactlyAreRefused() {
    String supported =
        "boolean, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp,"
            + " timestamp_ntz, array<…>, struct<…>";
    for (String type :
        List.of(
            "map<string,int>",
            "interval",
            "void",
            "smallint",
            "varchar(10)",
            "array<map<int,int>>",
            "struct<>",
            "array<struct<>>",
            "struct<a:int,A:int>")) {
      assertRefused(
          change("type = double", "type = \"" + type + "\""),
          "a.conf:15: type %s can't be served exactly; there are: %s".formatted(type, supported),
          "a.conf:21: there is no feature 'amount'; there are: orders, country",
          "a.conf:34: view 'spending' has no feature 'amount'; there are: orders, country");
    }
  }

  @Test
  void typesNestedDeeperThanClientsCanReadAreRefused() {
    String deepest = "array<".repeat(16) + "int" + ">".repeat(16);
    load(change("country, type = string", "country, type = \"" + deepest + "\""));
    assertRefused(
        change("country, type = string", "country, type = \"array<" + deepest + ">\""),
        "a.conf:16: type array<%s> is nested deeper than 16".formatted(deepest));
  }

  @Test
  void aMisspeltTypeIsRefusedWithTheNearestOne() {
    assertRefused(
        change("name = visits, type = bigint", "name = visits, type = bigin"),
        "a.conf:30: 'bigin' is not a type; did you mean 'bigint'?");
    assertRefused(
        change("name = visits, type = bigint", "name = visits, type = \"decimal(12,2\""),
        "a.conf:30: 'decimal(12,2' is not a type; did you mean 'decimal(p,s)'?");
    assertRefused(
        change("name = opened, type = date", "name = opened, type = double"),
        "a.conf:3: a key can't be double: use string, int, bigint or date");
  }

  @Test
  void defaultsAreReadAsTheTypeOfTheirFeature() {
    assertThat(defaultOf("boolean", "true")).isEqualTo(Values.ofBoolean(true));
    assertThat(defaultOf("int", "-1")).isEqualTo(Values.ofLong(-1));
    assertThat(defaultOf("bigint", "9007199254740993").getStringValue())
        .isEqualTo("9007199254740993");
    assertThat(defaultOf("double", "0.1")).isEqualTo(Values.ofDouble(0.1));
    assertThat(defaultOf("double", "NaN").getNumberValue()).isNaN();
    assertThat(defaultOf("double", "\"-Infinity\"").getNumberValue()).isNegative().isInfinite();
    assertThat(defaultOf("float", "0.1")).isEqualTo(Values.ofDouble(0.1f));
    assertThat(defaultOf("decimal(18,2)", "0").getStringValue()).isEqualTo("0.00");
    assertThat(defaultOf("decimal(18,2)", "\"1.50\"").getStringValue()).isEqualTo("1.50");
    assertThat(defaultOf("string", "\"\"").getStringValue()).isEmpty();
    assertThat(defaultOf("date", "2026-01-31").getStringValue()).isEqualTo("2026-01-31");
    assertThat(defaultOf("timestamp", "\"2026-01-31T00:00:00Z\"").getStringValue())
        .isEqualTo("2026-01-31T00:00:00Z");
    assertThat(
            load(withDefault("array<int>", "null")).view("shops").features().get(0).defaultValue())
        .isEmpty();
  }

  @Test
  void defaultsThatAreNoneOfTheTypeAreRefused() {
    assertDefaultRefused("boolean", "1", "1");
    assertDefaultRefused("int", "2147483648", "2147483648");
    assertDefaultRefused("bigint", "0.5", "0.5");
    assertDefaultRefused("bigint", "\"9223372036854775808\"", "9223372036854775808");
    assertDefaultRefused("double", "none", "none");
    assertDefaultRefused("float", "1e39", "1e39");
    assertDefaultRefused("double", "\"1e309\"", "1e309");
    assertDefaultRefused("decimal(4,2)", "0.125", "0.125");
    assertDefaultRefused("decimal(4,2)", "100", "100");
    assertRefused(
        withDefault("string", "00501"),
        "a.conf:30: default = 00501 is not a value of type string; write it in quotes: \"00501\"");
    assertDefaultRefused("date", "31.1.2026", "31.1.2026");
    assertDefaultRefused("timestamp", "2026-01-31", "2026-01-31");
    assertRefused(
        withDefault("array<int>", "[]"),
        "a.conf:30: a feature of type array<int> can't have a default");
  }

  @Test
  void numbersAreWhatWasWritten() {
    assertThat(defaultOf("decimal(20,10)", "1234567890.0123456789").getStringValue())
        .isEqualTo("1234567890.0123456789");
    assertThat(defaultOf("bigint", "00501")).isEqualTo(Values.ofLong(501));
    Definitions read =
        load(
            change(
                    "accepted-values { country = [DE, FR] }",
                    "accepted-values { country = [00501, 1.50, 1e5, true, 0x1] }")
                .replace(
                    "path = ${tarn.state}\"/orders\"",
                    "path = 007, options { v = 1.50, a.b = 00, a.c = x }")
                .replace(
                    "features = [spending.orders, spending.amount]",
                    "features = [{ feature = spending.country, transform = [{ fill = 00000 }, { one-hot { values = [00501, 1.10] } }] }]"));
    assertThat(((Check.AcceptedValues) read.view("spending").checks().get(2)).values())
        .containsExactly("00501", "1.50", "1e5", "true", "0x1");
    Source source = read.sources().iterator().next();
    assertThat(source.location()).isEqualTo("007");
    assertThat(source.options()).isEqualTo(java.util.Map.of("v", "1.50", "a.b", "00", "a.c", "x"));
    List<Transform> steps = read.service("fraud").transforms().get(0).getStepsList();
    assertThat(steps.get(0).getFill().getText()).isEqualTo("00000");
    assertThat(steps.get(1).getOneHot().getValuesList()).containsExactly("00501", "1.10");
  }

  @Test
  void anAcceptedNumberThatTheFeatureCannotHaveIsRefused() {
    assertRefused(
        change("{ country = [DE, FR] }", "{ orders = [1, 1.5], amount = [x] }"),
        "a.conf:22: 'amount' has no value x: it is double",
        "a.conf:22: 'orders' has no value 1.5: it is bigint");
  }

  @Test
  void anOptionThatHoconWouldLoseIsRefused() {
    assertRefused(
        change(
            "timestamp = at",
            "timestamp = at, options { fs.s3a.endpoint = a, fs.s3a.endpoint.region = b }"),
        "a.conf:6: 'fs.s3a.endpoint' has a value, and so has 'fs.s3a.endpoint.region' (line 6); HOCON keeps only the last of the two, so write one in quotes, below 'sources.orders.options': \"fs.s3a.endpoint\" = …");
    load(
        change(
            "timestamp = at",
            "timestamp = at, options { \"fs.s3a.endpoint\" = a, fs.s3a.endpoint.region = b }"));
  }

  @Test
  void aKeyThatIsGivenTwiceIsRefusedWithBothLines() {
    assertRefused(
        change("timestamp = at", "timestamp = at\n timestamp = paid_at"),
        "a.conf:7: 'sources.orders.timestamp' has a value already (line 6), and HOCON keeps only the last of the two: take one of them out");
    assertRefused(
        change("timestamp = at", "timestamp = at }\n orders.timestamp : \"paid_at\", orders {"),
        "a.conf:7: 'sources.orders.timestamp' has a value already (line 6), and HOCON keeps only the last of the two: take one of them out");
    assertRefused(
        change("{ country = [DE, FR] }", "{ country = [DE, FR], \"country\" = [] }"),
        "a.conf:22: 'feature-views.spending.checks.accepted-values.country' has a value already (line 22), and HOCON keeps only the last of the two: take one of them out");
    assertRefused(
        change("name = orders, type = bigint", "name = orders, type = int, type = bigint"),
        "a.conf:14: 'type' has a value already (line 14), and HOCON keeps only the last of the two: take one of them out");
    // What refers to something is meant to stand over the other, and what adds loses nothing.
    load(change("timestamp = at", "timestamp = at, timestamp = ${?NO_SUCH_VARIABLE}"));
    load(change("{ country = [DE, FR] }", "{ country = [DE], country += FR }"));
  }

  @Test
  void aFileToIncludeThatIsNotThereIsRefused() {
    assertRefused(
        change("timestamp = at", "timestamp = at, options {\n include \"s3\" }"),
        "a.conf:7: include \"s3\": there is no file %s/s3.conf".formatted(folder));
  }

  @Test
  void aNullInAListIsRefused() {
    assertRefused(
        change("{ country = [DE, FR] }", "{ country = [DE, null] }"),
        "a.conf:22: country: null is no value of a list: leave it out, or write the text \"null\" in quotes");
  }

  @Test
  void aDefaultThatWouldBecomeZeroIsRefused() {
    assertThat(DefaultValues.number("1e-400", DataTypes.DoubleType)).isEmpty();
    assertThat(DefaultValues.number("1e-50", DataTypes.FloatType)).isEmpty();
    assertThat(DefaultValues.number("-0e-400", DataTypes.DoubleType)).isPresent();
  }

  @Test
  void anOptionThatHoconWouldLoseIsFoundInAFileThatIsIncluded() throws IOException {
    Files.writeString(
        folder.resolve("s3.json"),
        "{\n\"fs\": { \"s3a.endpoint\": 1,\n\"s3a\": {\"endpoint\": 2}}}");
    assertRefused(
        change(
            "timestamp = at",
            "timestamp = at, options { include \"s3\", fs.s3a.endpoint.region = b }"),
        "s3.json:3: 'fs.s3a.endpoint' has a value, and so has 'fs.s3a.endpoint.region' (%s/a.conf:6); HOCON keeps only the last of the two, so write one in quotes, below 'sources.orders.options': \"fs.s3a.endpoint\" = …"
            .formatted(folder));
  }

  @Test
  void whatNoFileHasIsRefusedInASchema() {
    assertRefused(
        change(
            "format = parquet",
            "format = parquet, schema = \"a CHAR(2), b ARRAY<VARCHAR(3)>, at TIMESTAMP\""),
        "a.conf:6: schema: column 'a' is CHAR(2), and files have no texts of a fixed length: write STRING",
        "a.conf:6: schema: column 'b' is ARRAY<VARCHAR(3)>, and files have no texts of a fixed length: write STRING");
    assertRefused(
        change(
            "format = parquet",
            "format = csv, schema = \"a INT, A INT, b ARRAY<INT>, at TIMESTAMP\""),
        "a.conf:6: schema has two columns 'A', which SQL can't tell apart",
        "a.conf:6: schema: column 'b' is ARRAY<INT>, and a CSV file has none such; read it as STRING, and make it of that in the SQL, e.g. from_json(b, '…')");
  }

  @Test
  void filesWithoutTypesMustDeclareTheirSchema() {
    String missing =
        "schema is missing, and a guess would change with the data:"
            + " schema = \"user_id BIGINT, amount DECIMAL(10,2)\"";
    assertRefused(change("format = parquet", "format = csv"), "a.conf:6: " + missing);
    assertRefused(change("format = parquet", "format = JSON"), "a.conf:6: " + missing);
    load(change("format = parquet", "format = csv, schema = \"user_id BIGINT\""));
    assertRefused(
        change("format = parquet", "format = avro"),
        "a.conf:6: there is no format 'avro'; there are: parquet, csv, json, iceberg, kafka",
        "a.conf:11: there is no source 'orders'",
        "a.conf:28: there is no source 'orders'");
    assertRefused(
        change(
            "format = parquet, path = ${tarn.state}\"/orders\"",
            "format = iceberg, table = a.b, schema = \"user_id BIGINT\""),
        "a.conf:6: an Iceberg table brings its own schema");
  }

  @Test
  void aSchemaThatDoesNotParseIsRefused() {
    assertThatThrownBy(
            () -> load(change("format = parquet", "format = csv, schema = \"user_id BIGNT\"")))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "1 problem in the definitions\n  a.conf:6: schema does not parse,"
                + " e.g. \"user_id BIGINT, amount DECIMAL(10,2)\": ")
        .hasMessageContaining("BIGNT");
  }

  @Test
  void durationsAreInTheirFourUnits() {
    for (String text : List.of("90s", "30m", "6h", "2d", "2 d")) {
      assertThat(load(change("max-age = 2d", "max-age = " + text)).view("spending").maxAge())
          .isPresent();
    }
    for (String text : List.of("2", "2w", "-1d", "0h", "1.5h", "1d 2h", "9999999999d")) {
      assertRefused(
          change("max-age = 2d", "max-age = " + text),
          "a.conf:18: max-age = %s is not a duration: write 90s, 30m, 6h or 2d".formatted(text));
    }
  }

  @Test
  void namesAreLowerCaseLettersDigitsAndUnderscores() {
    String rule = "is not a name: use lower-case letters, digits and '_', with a letter first";
    assertRefused(change("  shops {", "  Shops {"), "a.conf:26: 'Shops' " + rule);
    assertRefused(change("  shops {", "  \"a.b\" {"), "a.conf:26: 'a.b' " + rule);
    assertRefused(
        change("name = visits", "name = \"visits 7d\""), "a.conf:30: 'visits 7d' " + rule);
    assertRefused(change("fraud {", "7fraud {"), "a.conf:34: '7fraud' " + rule);
    assertRefused(change("name = city", "name = _city"), "a.conf:3: '_city' " + rule);
    assertRefused(
        change("  shops {", "  " + "x".repeat(64) + " {"),
        "a.conf:26: '" + "x".repeat(64) + "' " + rule);
  }

  @Test
  void columnsThatEveryTableHasAreNoNamesOfFeatures() {
    assertRefused(
        change("name = visits", "name = event_timestamp"),
        "a.conf:30: 'event_timestamp' is a column of feature tables already;"
            + " a feature needs another name");
    assertRefused(
        change("name = visits", "name = opened"),
        "a.conf:30: 'opened' is a column of feature tables already;"
            + " a feature needs another name");
    assertRefused(
        change("name = opened", "name = event_timestamp"),
        "a.conf:3: 'event_timestamp' is a column of feature tables already;"
            + " a key needs another name");
    // Of either history, so that a name that is right stays so.
    assertRefused(
        change("name = visits", "name = present_until"),
        "a.conf:30: 'present_until' is a column of feature tables already;"
            + " a feature needs another name");
    assertRefused(
        change("name = opened", "name = present_until"),
        "a.conf:3: 'present_until' is a column of feature tables already;"
            + " a key needs another name");
  }

  @Test
  void theHistoryIsFullUnlessItSaysChanges() {
    assertThat(load(SHOP).view("spending").history()).isEqualTo(FeatureView.History.FULL);
    assertThat(load(change("max-age = 2d", "history = full")).view("spending").history())
        .isEqualTo(FeatureView.History.FULL);
    assertThat(load(change("max-age = 2d", "history = changes")).view("spending").history())
        .isEqualTo(FeatureView.History.CHANGES);
    assertRefused(
        change("max-age = 2d", "history = change"),
        "a.conf:18: there is no history 'change'; did you mean 'changes'?");
    assertRefused(
        change("max-age = 2d", "history = none"),
        "a.conf:18: there is no history 'none'; there are: full, changes");
  }

  @Test
  void aFeatureCanOnlyHaveBeenWhatIsNoColumnAnyMore() {
    load(change("name = visits,", "name = visits, was = visit_count,"));
    for (String was : List.of("visits", "city", "event_timestamp", "present_until")) {
      assertRefused(
          change("name = visits,", "name = visits, was = %s,".formatted(was)),
          "a.conf:30: was = %s: '%s' is a column of this view still, or renamed twice"
              .formatted(was, was));
    }
    assertRefused(
        SHOP.replace("name = orders,", "name = orders, was = o,")
            .replace("name = amount,", "name = amount, was = o,"),
        "a.conf:15: was = o: 'o' is a column of this view still, or renamed twice");
  }

  @Test
  void duplicatesAreRefused() {
    assertRefused(
        change(
            "{ name = country, type = string }",
            "{ name = country, type = string }\n{ name = orders, type = int }"),
        "a.conf:17: feature 'orders' is there already, at a.conf:14");
    assertRefused(
        change("name = opened, type = date", "name = city, type = date"),
        "a.conf:3: key 'city' is there already, at a.conf:3");
    assertRefused(
        change("[spending.orders, spending.amount]", "[spending.orders, spending.orders]"),
        "a.conf:34: 'spending.orders' is listed twice");
  }

  @Test
  void aViewDefinedTwiceInAFileIsRefusedThoughHoconMergesIt() {
    assertRefused(
        change("  shops {", "  spending { owner = me }\n  shops {"),
        "a.conf:9: 'spending' is defined twice, here and at line 26");
    assertRefused(
        SHOP + "entities { user { owner = me } }",
        "a.conf:2: 'user' is defined twice, here and at line 36");
    // More of the same kind is none of the same name.
    load(SHOP + "entities { card { keys = [{ name = card_id, type = bigint }] } }");
  }

  @Test
  void aViewDefinedInTwoFilesIsRefused() throws IOException {
    Files.writeString(
        folder.resolve("b.conf"),
        """
        feature-views { spending {
          entity = user, sources = [orders], sql = x, features = [{ name = other, type = int }]
        } }
        entities { user { keys = [{ name = id, type = int }] } }
        """);
    assertRefused(
        SHOP,
        "b.conf:1: feature view 'spending' is defined at a.conf:9 already",
        "b.conf:4: entity 'user' is defined at a.conf:2 already");
  }

  @Test
  void featuresOfOneEntityHaveOneNameAcrossItsViews() {
    assertRefused(
        SHOP.replace("entity = shop", "entity = user").replace("name = visits", "name = amount"),
        "a.conf:30: entity 'user' has a feature 'amount' in view 'spending' already;"
            + " give this one another name");
    // Of another entity it may: lookups name the entity.
    load(change("name = visits", "name = amount"));
  }

  @Test
  void aServiceIsOfOneEntity() {
    assertRefused(
        change("[spending.orders, spending.amount]", "[spending.orders, shops.visits]"),
        "a.conf:34: features of one entity only, and these are of user and shop");
  }

  @Test
  void anUnknownEntityIsToldOnceAndNotAgainByWhatFollows() {
    assertRefused(
        SHOP.replace("entity = shop", "entity = shp")
            .replace("[spending.orders, spending.amount]", "[spending.orders, shops.visits]"),
        "a.conf:27: there is no entity 'shp'; did you mean 'shop'?");
  }

  @Test
  void allProblemsAreListedInTheOrderOfFilesAndLines() throws IOException {
    Files.writeString(folder.resolve("b.conf"), "sourcs {}\n");
    assertRefused(
        SHOP.replace("fraud { features", "fraud { x = 1, features")
            .replace("entity = user", "entity = usr")
            .replace("type = double", "type = doble")
            .replace("max-age = 2d", "max-age = soon"),
        "a.conf:10: there is no entity 'usr'; did you mean 'user'?",
        "a.conf:15: 'doble' is not a type; did you mean 'double'?",
        "a.conf:18: max-age = soon is not a duration: write 90s, 30m, 6h or 2d",
        "a.conf:21: there is no feature 'amount'; there are: orders, country",
        "a.conf:34: view 'spending' has no feature 'amount'; there are: orders, country",
        "a.conf:34: there is no key 'x' here; there are: description, features, owner",
        "b.conf:1: there is no key 'sourcs' here; did you mean 'sources'?");
  }

  @Test
  void aFileThatIsNoHoconIsRefusedWithItsLine() {
    assertThatThrownBy(() -> load("entities {\n  user {\n    keys = [\n"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("1 problem in the definitions\n  a.conf:4: ");
    assertThatThrownBy(() -> load("entities {\n  user { keys = \"\n}\n"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("1 problem in the definitions\n  a.conf:2: ");
  }

  @Test
  void aFolderWithoutDefinitionsIsRefused() {
    assertThatThrownBy(this::load)
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "no definitions: there is no *.conf file in or below %s (setting 'definitions')",
            folder);
    Path missing = folder.resolve("missing");
    assertThatThrownBy(() -> Definitions.load(folder, missing, SETTINGS))
        .isInstanceOf(UsageException.class)
        .hasMessage("no definitions: there is no folder %s (setting 'definitions')", missing);
  }

  @Test
  void theDefinitionHashFollowsWhatDecidesTheValues() {
    String hash = hash(SHOP);
    assertThat(hash).matches("[0-9a-f]{16}");
    assertThat(
            List.of(
                hash,
                hash(change("sum(amount)", "max(amount)")),
                hash(change("name = amount, type = double", "name = amount, type = float")),
                hash(
                    change("{ name = country, type = string }", "{ name = cntry, type = string }")
                        .replace("{ country =", "{ cntry =")),
                hash(change("timestamp = at", "timestamp = paid_at")),
                hash(change("\"/orders\"", "\"/orders2\"")),
                hash(change("timestamp = at", "timestamp = at, options { mergeSchema = true }")),
                hash(change("user_id, type = bigint", "user_id, type = string")),
                hash(change("max-age = 2d", "history = changes"))))
        .doesNotHaveDuplicates();
  }

  @Test
  void theDefinitionHashDoesNotFollowWhatOnlyDescribes() {
    assertThat(
            List.of(
                hash(
                    change(
                        "entity = user", "entity = user, description = d, owner = o, tags = [t]")),
                hash(change("max-age = 2d", "max-age = 3d")),
                hash(change("max-age = 2d", "history = full")),
                hash(change("min-rows = 1", "min-rows = 2")),
                hash(change("name = amount,", "name = amount, default = 0, was = sum,")),
                hash(change("name = amount,", "name = amount, description = d, owner = o,")),
                hash(change("user { keys", "user { description = d, keys")),
                hash(change("sql = \"SELECT", "sql = \"  SELECT"))))
        .containsOnly(hash(SHOP));
  }

  private String hash(String text) {
    return load(text).view("spending").definitionHash();
  }

  private com.google.protobuf.Value defaultOf(String type, String value) {
    Optional<com.google.protobuf.Value> found =
        load(withDefault(type, value)).view("shops").feature("visits").orElseThrow().defaultValue();
    return found.orElseThrow();
  }

  private void assertDefaultRefused(String type, String value, String shown) {
    assertRefused(
        withDefault(type, value),
        "a.conf:30: default = %s is not a value of type %s".formatted(shown, type));
  }

  private static String withDefault(String type, String value) {
    return change(
        "name = visits, type = bigint",
        "name = visits, type = \"%s\", default = %s".formatted(type, value));
  }

  private static String change(String from, String to) {
    assertThat(SHOP).contains(from);
    int at = SHOP.indexOf(from);
    return SHOP.substring(0, at) + to + SHOP.substring(at + from.length());
  }

  private void assertRefused(String text, String... problems) {
    assertThatThrownBy(() -> load(text))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "%s in the definitions\n  %s",
            problems.length == 1 ? "1 problem" : problems.length + " problems",
            String.join("\n  ", problems));
  }

  private Definitions load(String text) {
    try {
      Files.writeString(folder.resolve("a.conf"), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return load();
  }

  private Definitions load() {
    return Definitions.load(folder, folder, SETTINGS);
  }
}
