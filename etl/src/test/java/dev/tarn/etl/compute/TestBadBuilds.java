package dev.tarn.etl.compute;

import static dev.tarn.etl.compute.Orders.JAN_2;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * Builds that are given something they can't use: they say what and where, and main stays as it
 * was.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestBadBuilds {

  private static final String SCHEMA = "schema = \"user_id BIGINT, at TIMESTAMP, amount DOUBLE\"";

  private Orders orders;
  private Orders.State before;

  @BeforeAll
  void publish() {
    orders = new Orders();
    orders.build(JAN_2);
    orders.bench().output();
    before = orders.state();
  }

  @Test
  void aSourceThatIsNotThere() {
    orders.define(path("orders").toString(), "/no/such/folder");
    assertFails(
        1,
        "tarn: features/users.conf:2: source 'orders' can't be read at /no/such/folder: there is no"
            + " such file or folder\n");
    orders.define(path("orders") + "\"", "/no/such/folder\", " + SCHEMA);
    assertFails(
        1, "tarn: features/users.conf:2: source 'orders' can't be read at /no/such/folder:");
  }

  @Test
  void anIcebergSourceThatIsNotThere() {
    orders.define(
        "format = parquet, path = \"" + path("orders") + "\"",
        "format = iceberg, table = tarn.raw.orders");
    assertFails(
        1, "tarn: features/users.conf:2: source 'orders' can't be read at tarn.raw.orders: ");
  }

  @Test
  void aParquetFileThatIsNone() throws IOException {
    Files.createDirectories(path("corrupt"));
    Files.writeString(path("corrupt/part-0.parquet"), "not Parquet at all");
    orders.define(path("orders") + "\"", path("corrupt") + "\", " + SCHEMA);
    assertFails(
        1,
        "tarn: features/users.conf:2: source 'orders' can't be read at ",
        "corrupt/part-0.parquet is not a Parquet file");
    orders.define(path("orders").toString(), path("corrupt").toString());
    assertFails(
        1, "tarn: features/users.conf:2: source 'orders' can't be read at ", "part-0.parquet");
  }

  @Test
  void aParquetFileThatWasCutOff() throws IOException {
    Path folder = path("cut");
    Files.createDirectories(folder);
    try (var files = Files.list(path("orders"))) {
      Path file = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow();
      byte[] whole = Files.readAllBytes(file);
      Files.write(
          folder.resolve("part-0.parquet"), java.util.Arrays.copyOf(whole, whole.length / 2));
    }
    orders.define(path("orders") + "\"", folder + "\", " + SCHEMA);
    assertFails(
        1,
        "tarn: features/users.conf:2: source 'orders' can't be read at ",
        "cut/part-0.parquet is not a Parquet file");
  }

  @Test
  void aParquetColumnOfAnotherTypeIsToldWithItsFile() throws IOException {
    Path file;
    try (var files = Files.list(path("orders"))) {
      file = files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow();
    }
    orders.define(
        path("orders") + "\"",
        path("orders") + "\", schema = \"user_id BIGINT, at TIMESTAMP, amount BIGINT\"");
    assertFails(
        1,
        "tarn: features/users.conf:2: source 'orders': column 'amount' of file:",
        ".parquet is DOUBLE, the schema says BIGINT; write amount DOUBLE in the schema and CAST it in the SQL, or write the file anew");
    // Of several files without a declared schema Spark takes the types of one.
    Path two = path("two");
    Files.createDirectories(two);
    Files.copy(file, two.resolve("part-0.parquet"));
    orders
        .bench()
        .spark()
        .sql(
            "SELECT 1 AS user_id, TIMESTAMP '2026-01-01 00:00:00' AS at, CAST(1 AS DECIMAL(5,2)) AS amount")
        .coalesce(1)
        .write()
        .parquet(path("more").toString());
    try (var files = Files.list(path("more"))) {
      Files.copy(
          files.filter(f -> f.toString().endsWith(".parquet")).findFirst().orElseThrow(),
          two.resolve("part-1.parquet"));
    }
    orders.define(path("orders").toString(), two.toString());
    assertFails(
        1,
        "tarn: features/users.conf:2: source 'orders': column 'user_id' of file:",
        ", another file says ");
  }

  @Test
  void aLineOfCsvThatDoesNotFit() throws IOException {
    Files.writeString(
        path("bad.csv"), "user_id,at,amount\n1,2026-01-01T00:00:00Z,1\n2,soon,much\n");
    defineCsv("bad.csv");
    assertFails(
        1,
        "tarn: build of spending as of 2026-01-03T00:00:00Z failed; what was published stays as it"
            + " was: source 'orders' (features/users.conf:2): file:%s line 3 (record 2): 'at' has"
                .formatted(path("bad.csv"))
            + " the text 'soon', which is no timestamp; write 2026-11-20T06:00:00Z\n");
  }

  @Test
  void csvWithOtherColumns() throws IOException {
    Files.writeString(path("other.csv"), "user_id,amount,at\n1,1,2026-01-01T00:00:00Z\n");
    defineCsv("other.csv");
    assertFails(
        1,
        "tarn: build of spending as of ",
        "source 'orders' (features/users.conf:2) has a file whose header is not its schema: ",
        "other.csv");
  }

  @Test
  void aSourceThatMayNotBeRead() throws IOException {
    Files.createDirectories(path("secret"));
    Path file = Files.writeString(path("secret/part-0.parquet"), "secret");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("---------"));
    assumeFalse(Files.isReadable(file), "root reads everything");
    orders.define(path("orders") + "\"", path("secret") + "\", " + SCHEMA);
    assertFails(
        1, "tarn: features/users.conf:2: source 'orders' can't be read at ", "Permission denied");
  }

  @Test
  void sqlThatFailsOnTheData() {
    orders.define("sum(amount)", "sum(IF(user_id = 2, raise_error('user 2 again'), amount))");
    assertFails(1, "tarn: build of spending as of ", "user 2 again");
  }

  @Test
  void aDefinitionThatDoesNotFitItsSql() {
    orders.define("AS amount", "AS amout");
    assertFails(2, "tarn: 1 problem in the definitions\n  features/users.conf:10: the SQL of view");
  }

  @Test
  void anAsOfInTheFuture() {
    orders.define();
    assertUsage(
        "tarn: as-of 2999-01-01T00:00:00Z is in the future (it is ",
        "view=spending",
        "as-of=2999-01-01");
    assertUsage(
        "tarn: as-of 2999-01-01T00:00:00Z is in the future (it is ",
        "view=spending",
        "from=2998-12-31",
        "to=2999-01-01");
  }

  @Test
  void anAsOfThatIsNone() {
    orders.define();
    for (String text :
        new String[] {"yesterday", "2026-02-30", "2026-01-03T25:00:00Z", "", "20260103"}) {
      assertUsage(
          "tarn: as-of=%s is not a moment: write 2026-11-20 or 2026-11-20T06:00:00Z (times are UTC)"
              .formatted(text),
          "view=spending",
          "as-of=" + text);
    }
    assertUsage("tarn: give as-of=…, or from=… and to=…", "view=spending");
    assertUsage(
        "tarn: give as-of=…, or from=… and to=…",
        "view=spending",
        "as-of=2026-01-01",
        "to=2026-01-02");
    assertUsage("tarn: build needs to=…", "view=spending", "from=2026-01-01");
    assertUsage(
        "tarn: from=2026-01-03T00:00:00Z is after to=2026-01-02T00:00:00Z",
        "view=spending",
        "from=2026-01-03",
        "to=2026-01-02");
    assertUsage(
        "tarn: every=0d is not a step: write 30m (minutes), 6h, 1d, 1w, 1mo (a month) or 1y",
        "view=spending",
        "from=2026-01-02",
        "to=2026-01-03",
        "every=0d");
    assertUsage(
        "tarn: that is more than 10000 as-ofs: take a larger every=…, or several runs",
        "view=spending",
        "from=2025-01-01",
        "to=2026-01-01",
        "every=1m");
  }

  @Test
  void timesMayHaveAnOffset() {
    orders.define();
    assertThat(
            orders
                .bench()
                .run("build", "view=spending", "from=2026-01-02T01:00:00+01:00", "to=2026-01-02"))
        .isZero();
    assertThat(orders.bench().output())
        .contains("spending as of 2026-01-02T00:00:00Z is up to date");
  }

  @Test
  void aViewThatIsNotDefined() {
    orders.define();
    assertUsage(
        "tarn: there is no feature view 'spendin'; did you mean 'spending'?",
        "view=spendin",
        "as-of=2026-01-03");
  }

  @Test
  void aCatalogThatCannotBeReached() throws IOException {
    Orders other = new Orders();
    // A Spark that runs has its catalog already.
    other.bench().stopSpark();
    Path file = Files.writeString(other.bench().path("file"), "");
    other.bench().set("catalog.uri", "jdbc:sqlite:" + file.resolve("catalog.db"));
    assertThat(other.bench().run("build", "view=spending", "as-of=2026-01-03")).isEqualTo(1);
    assertThat(other.bench().output())
        .isEqualTo(
            "tarn: can't make the folder %s for the catalog (setting catalog.uri):".formatted(file)
                + " FileAlreadyExistsException: %s\n".formatted(file));

    Path folder = Files.createDirectories(other.bench().path("folder"));
    other.bench().set("catalog.uri", "jdbc:sqlite:" + folder);
    assertThat(other.bench().run("build", "view=spending", "as-of=2026-01-03")).isEqualTo(1);
    assertThat(other.bench().output())
        .startsWith(
            "tarn: can't use the Iceberg catalog at jdbc:sqlite:%s (settings below 'catalog'): "
                .formatted(folder));
  }

  private void defineCsv(String file) {
    orders.define(
        "format = parquet, path = \"" + path("orders") + "\"",
        "format = csv, path = \"%s\", %s".formatted(path(file), SCHEMA));
  }

  private Path path(String name) {
    return orders.bench().path(name);
  }

  private void assertUsage(String message, String... words) {
    String[] all = new String[words.length + 1];
    all[0] = "build";
    System.arraycopy(words, 0, all, 1, words.length);
    assertThat(orders.bench().run(all)).isEqualTo(2);
    assertThat(orders.bench().output()).startsWith(message);
  }

  private void assertFails(int status, String begin, String... parts) {
    assertThat(orders.bench().run("build", "view=spending", "as-of=2026-01-03")).isEqualTo(status);
    String output = orders.bench().output();
    assertThat(output).startsWith(begin).doesNotContain("\tat ");
    for (String part : parts) {
      assertThat(output).contains(part);
    }
    assertThat(orders.state()).isEqualTo(before);
  }
}
