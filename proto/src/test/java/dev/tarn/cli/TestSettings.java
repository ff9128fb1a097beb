package dev.tarn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.tarn.redis.RedisSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestSettings {

  private static final String HOME = System.getenv().getOrDefault("TARN_HOME", ".");

  @TempDir Path folder;

  @Test
  void everyDefaultIsWhatReferenceConfSays() {
    Map<String, Object> defaults = new TreeMap<>();
    Settings settings = load("");
    for (String name : Settings.names()) {
      defaults.put(name, settings.read(tarn -> tarn.getValue(name).unwrapped()));
    }
    Map<String, Object> expected = new TreeMap<>();
    expected.put("home", HOME);
    expected.put("state", HOME + "/.tarn");
    expected.put("definitions", HOME + "/conf/features");
    expected.put("result-file", "");
    expected.put("database", "features");
    expected.put("redis.host", "127.0.0.1");
    expected.put("redis.port", 16379);
    expected.put("redis.database", 0);
    expected.put("redis.user", "");
    expected.put("redis.password", "");
    expected.put("redis.tls", false);
    expected.put("redis.tls-ca", "");
    expected.put("redis.timeout", "2s");
    expected.put("redis.namespace", "tarn");
    expected.put("archive.max-messages", 2_000_000);
    expected.put("archive.max-undecoded", 0.1);
    expected.put("push.rows-per-bucket", 32);
    expected.put("push.keep", 3);
    expected.put("push.grace", "10s");
    expected.put("push.max-overlay", 0.2);
    expected.put("push.rows-per-second", 0);
    expected.put("push.patience", "20s");
    expected.put("push.lease", "30s");
    expected.put("push.live-patience", "10m");
    expected.put("push.expire-unreleased", "1d");
    expected.put("live.clock-skew", "5s");
    expected.put("live.group", "");
    expected.put("live.batch", 100_000);
    expected.put("live.cache-bytes", "512M");
    expected.put("live.poll", "1s");
    expected.put("live.cuts-every", "1m");
    expected.put("live.report-every", "1m");
    expected.put("live.late-after", "1m");
    expected.put("live.sweep-rate", 2_000);
    expected.put("live.http-host", "127.0.0.1");
    expected.put("live.http-port", 9465);
    expected.put("serving.host", "127.0.0.1");
    expected.put("serving.port", 50051);
    expected.put("serving.default-entity", "");
    expected.put("serving.max-entities", 10000);
    expected.put("serving.max-id-bytes", 1024);
    expected.put("serving.max-answer-bytes", "64M");
    expected.put("serving.near-cache-bytes", 0);
    expected.put("serving.serve-stale", "0s");
    expected.put("serving.max-message-bytes", 4_194_304);
    expected.put("serving.max-concurrent-calls", 200);
    expected.put("serving.max-in-flight", 1000);
    expected.put("serving.max-in-flight-bytes", "25%");
    expected.put("serving.permit-keepalive", "5s");
    expected.put("serving.http-port", 9464);
    expected.put("serving.access-log-sample", 0);
    expected.put("serving.tracing.endpoint", "");
    expected.put("serving.tracing.sample", 0.01);
    expected.put("serving.tls.certificate", "");
    expected.put("serving.tls.key", "");
    expected.put("serving.tls.client-ca", "");
    expected.put("serving.callers", "");
    expected.put("serving.reload", "10s");
    expected.put("serving.poll", "500ms");
    expected.put("serving.live-poll", "50ms");
    expected.put("serving.drain", "10s");
    assertThat(defaults).isEqualTo(expected);
  }

  @Test
  void theCatalogIsSqliteBelowTheStateByDefault() {
    Config catalog = load("").read(tarn -> tarn.getConfig("catalog"));
    assertThat(flat(catalog))
        .isEqualTo(
            Map.of(
                "type",
                "jdbc",
                "jdbc.schema-version",
                "V1",
                "uri",
                "jdbc:sqlite:" + HOME + "/.tarn/catalog.db",
                "warehouse",
                HOME + "/.tarn/warehouse"));
    assertThat(load("").<Config>read(tarn -> tarn.getConfig("spark")).isEmpty()).isTrue();
  }

  @Test
  void whatIsDerivedFollowsTheHomeAndTheStateThatAreSet() {
    Settings settings = load("tarn.home = /srv/tarn");
    assertThat(settings.home()).isEqualTo(Path.of("/srv/tarn"));
    assertThat(settings.state()).isEqualTo(Path.of("/srv/tarn/.tarn"));
    assertThat(load("tarn.state = /data").<String>read(tarn -> tarn.getString("catalog.uri")))
        .isEqualTo("jdbc:sqlite:/data/catalog.db");
  }

  @Test
  void whatIsTypedWinsOverTheFileAndTheFileOverTheDefaults() {
    Path file = write("tarn { redis { port = 1, host = db }, push.keep = 9 }");
    Settings settings =
        Settings.load(ConfigFactory.parseString("tarn.redis.port = 2"), Optional.of(file));
    RedisSettings redis = settings.read(RedisSettings::of);
    assertThat(redis.port()).isEqualTo(2);
    assertThat(redis.host()).isEqualTo("db");
    assertThat(redis.timeout()).isEqualTo(Duration.ofSeconds(2));
    assertThat(settings.<Integer>read(tarn -> tarn.getInt("push.keep"))).isEqualTo(9);
  }

  @Test
  void theFileMayReferToOtherSettings() {
    Path file =
        write(
            """
            tarn {
              state = ${tarn.home}"/data"
              catalog { uri = "jdbc:postgresql:"${?NO_SUCH_VARIABLE}"//db/tarn", jdbc.user = me }
              spark.sql.shuffle.partitions = 8
            }
            """);
    Settings settings = Settings.load(ConfigFactory.empty(), Optional.of(file));
    assertThat(settings.<String>read(tarn -> tarn.getString("catalog.uri")))
        .isEqualTo("jdbc:postgresql://db/tarn");
    assertThat(settings.<String>read(tarn -> tarn.getString("catalog.warehouse")))
        .isEqualTo(HOME + "/data/warehouse");
  }

  @Test
  void anUnknownSettingInTheFileIsRefusedWithItsLine() {
    assertRefused(
        "tarn {\n  redis {\n    prot = 1\n  }\n}",
        "%s:3: there is no setting 'tarn.redis.prot'; did you mean 'redis.port'?");
    assertRefused(
        "redis {\n  port = 1\n}",
        "%s:1: there is no setting 'redis'; all settings stand below tarn { … }");
    assertRefused(
        "tarn.catalogue.type = jdbc", "%s:1: there is no setting 'tarn.catalogue'; there are: ");
    assertRefused("tarn.redis = 5", "%s:1: there is no setting 'tarn.redis'; ");
    assertRefused("tarn {\n  redos {\n  }\n}", "%s:2: there is no setting 'tarn.redos'");
  }

  @Test
  void aFileThatDoesNotParseIsRefusedWithItsLine() {
    assertRefused("tarn {\n  redis {\n", "settings: %s: 3: ");
  }

  @Test
  void aValueOfTheWrongTypeIsRefusedWithItsLine() {
    Path file = write("tarn {\n  redis.port = many\n}");
    Settings settings = Settings.load(ConfigFactory.empty(), Optional.of(file));
    assertThatThrownBy(() -> settings.read(RedisSettings::of))
        .isInstanceOf(UsageException.class)
        .hasMessage("settings: %s: 2: port has type STRING rather than NUMBER", file);
  }

  @Test
  void sparksKeysAreFlatThoughOneBeginsLikeAnother() {
    Path file =
        write(
            """
            tarn {
              # A comment, with an = and a {.
              spark {
                "sql.catalog.lake" = org.Catalog, sql.catalog.lake.type = hadoop
                "hadoop.fs.s3a.endpoint" = "http://s3", hadoop { fs.s3a.endpoint.region = eu }
                sql.x = 00501
              }
              catalog { type = rest, s3 = 1.50, "s3.b" = 2 }
            }
            """);
    Config typed =
        CommandLine.parse(
                "up",
                "spark.sql.catalog.other=a",
                "spark.sql.catalog.other.type=b",
                "spark.sql.catalog.lake=c")
            .orElseThrow()
            .settings();
    Settings settings = Settings.load(typed, Optional.of(file));
    assertThat(flat(settings.read(tarn -> tarn.getConfig("spark"))))
        .isEqualTo(
            Map.of(
                "sql.catalog.lake", "c",
                "sql.catalog.lake.type", "hadoop",
                "hadoop.fs.s3a.endpoint", "http://s3",
                "hadoop.fs.s3a.endpoint.region", "eu",
                "sql.x", "00501",
                "sql.catalog.other", "a",
                "sql.catalog.other.type", "b"));
    assertThat(CommandLine.parse("up", "spark.a=1", "spark.a.b=2").orElseThrow().settingWords())
        .containsExactlyInAnyOrder("spark.a=1", "spark.a.b=2");
  }

  @Test
  void aKeyThatHoconWouldLoseIsRefusedWithItsLine() {
    assertRefused(
        "tarn {\n  spark {\n    sql.catalog.lake = org.Catalog # and\n    sql.catalog.lake.type = hadoop\n  }\n}",
        "%s:3: 'sql.catalog.lake' has a value, and so has 'sql.catalog.lake.type' (line 4); HOCON keeps only the last of the two, so write one in quotes, below 'tarn.spark': \"sql.catalog.lake\" = …");
    assertRefused(
        "tarn.spark { hadoop { fs { s3a { endpoint { region = eu }\n endpoint = \"http://a\" } } } }",
        "%s:2: 'hadoop.fs.s3a.endpoint' has a value, and so has 'hadoop.fs.s3a.endpoint.region' (line 1); ");
    assertRefused(
        "tarn.catalog {\n type = rest, s3 : [{ a = 1 }, \"}\"]\n s3.endpoint = \"\"\"x\n=}\"\"\" }\n",
        "%s:2: 's3' has a value, and so has 's3.endpoint' (line 3); ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"more.conf\"",
        "required(\"more\")",
        "file(\"%s/more.conf\")",
        "required(file(\"%s/more\"))",
        "\"other\""
      })
  void aKeyThatHoconWouldLoseIsFoundInFilesThatAreIncluded(String what) throws IOException {
    Path more = Files.writeString(folder.resolve("more.conf"), "#\nsql.catalog.lake = org.Catalog");
    Files.writeString(folder.resolve("other.conf"), "{ include \"more.conf\" }");
    Path file =
        write(
            "tarn {\n spark { include %s }\n spark.sql.catalog.lake.type = hadoop }"
                .formatted(what.formatted(folder)));
    assertThatThrownBy(() -> Settings.load(ConfigFactory.empty(), Optional.of(file)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "%s:2: 'sql.catalog.lake' has a value, and so has 'sql.catalog.lake.type' (%s:3); ",
            more, file);
    Files.writeString(more, "sql.catalog.other = \"}\"");
    assertThat(
            Settings.load(ConfigFactory.empty(), Optional.of(file))
                .<String>read(tarn -> tarn.getConfig("spark").root().keySet().toString()))
        .contains("sql.catalog.other", "sql.catalog.lake.type");
    Files.write(more, new byte[] {'#', (byte) 0xe4});
    assertThatThrownBy(() -> Settings.load(ConfigFactory.empty(), Optional.of(file)))
        .hasMessage("%s:1: this is not UTF-8; save the file as UTF-8", more);
  }

  @Test
  void aNamespaceThatIsNoneIsRefused() {
    Settings settings = load("tarn.redis.namespace = \"a:b\"");
    assertThatThrownBy(() -> settings.read(RedisSettings::of))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "settings: 'a:b' is not a namespace: use 1 to 64 letters, digits, '_', '.' or '-'");
  }

  @Test
  void kafkasSecretsComeFromTheEnvironmentAlone() {
    assertRefused(
        "tarn.kafka {\n  sasl.jaas.config = \"x required password=y;\"\n}",
        "%s:2: kafka.sasl.jaas.config is a secret, and does not belong into a file: export TARN_KAFKA_JAAS_CONFIG");
    assertRefused(
        "tarn.kafka {\n  ssl { keystore { password = hunter2 } }\n}",
        "%s:2: kafka.ssl.keystore.password is a secret, and does not belong into a file: write kafka.ssl.keystore.password = ${NAME}, and export NAME");
    // Each machine has a PATH.
    Config kafka =
        load("tarn.kafka { bootstrap.servers = \"a:1,b:2\", ssl.key.password = ${PATH}, security.protocol = SSL }")
            .read(tarn -> tarn.getConfig("kafka"));
    assertThat(flat(kafka))
        .isEqualTo(
            Map.of(
                "bootstrap.servers", "a:1,b:2",
                "isolation.level", "read_committed",
                "security.protocol", "SSL",
                "ssl.key.password", System.getenv("PATH")));
    assertThatThrownBy(() -> CommandLine.parse("archive", "source=a", "kafka.ssl.key.password=x"))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "kafka.ssl.key.password is not for the command line, where others can see it: write kafka.ssl.key.password = ${NAME}, and export NAME");
  }

  @Test
  void thePasswordIsNeverPrinted() {
    RedisSettings redis = load("tarn.redis.password = secret").read(RedisSettings::of);
    assertThat(redis.password()).isEqualTo("secret");
    assertThat(redis).hasToString("RedisSettings[127.0.0.1:16379/0]");
  }

  @Test
  void catalogAndSparkTakeAnyKeyAndOtherSectionsOnlyTheirs() {
    assertThat(Settings.isKnown("catalog.jdbc.user")).isTrue();
    assertThat(Settings.isKnown("spark.executor.memory")).isTrue();
    assertThat(Settings.isKnown("redis.port")).isTrue();
    assertThat(Settings.isKnown("redis")).isFalse();
    assertThat(Settings.isKnown("spark")).isFalse();
    assertThat(Settings.isKnown("catalog.")).isFalse();
    assertThat(Settings.isKnown("redis.port.x")).isFalse();
    assertThat(Settings.isKnown("")).isFalse();
  }

  private static Map<String, String> flat(Config section) {
    return Hocon.flat(section).entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, e -> Hocon.text(e.getValue())));
  }

  private static Settings load(String overrides) {
    return Settings.load(ConfigFactory.parseString(overrides), Optional.empty());
  }

  private void assertRefused(String text, String begin) {
    Path file = write(text);
    assertThatThrownBy(() -> Settings.load(ConfigFactory.empty(), Optional.of(file)))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(begin, file);
  }

  private Path write(String text) {
    try {
      return Files.writeString(folder.resolve("tarn.conf"), text);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
