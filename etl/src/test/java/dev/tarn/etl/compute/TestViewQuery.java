package dev.tarn.etl.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.tarn.cli.UsageException;
import dev.tarn.etl.definition.FeatureView;
import dev.tarn.etl.definition.Problems;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Checks what only the SQL can tell, in {@code validate} and before every build. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TestViewQuery {

  private Orders orders;

  @BeforeAll
  void open() {
    orders = new Orders();
  }

  @Test
  void aFeatureThatTheSqlDoesNotGiveIsRefusedWithTheNearestColumn() {
    assertRefused(
        "features/users.conf:10: the SQL of view 'spending' does not give the feature 'amount';"
            + " did you mean 'amout'?",
        "AS amount",
        "AS amout");
    assertRefused(
        "features/users.conf:7: the SQL of view 'spending' does not give the key column 'user_id';"
            + " there are: user, orders, amount",
        "SELECT user_id",
        "SELECT user_id AS user");
  }

  @Test
  void aColumnGivenTwiceIsRefused() {
    assertRefused(
        "features/users.conf:10: the SQL of view 'spending' gives two columns 'amount'",
        "sum(amount) AS amount",
        "sum(amount) AS amount, max(amount) AS amount");
  }

  @Test
  void anotherTypeIsRefusedWithTheCastToWrite() {
    assertRefused(
        "features/users.conf:10: feature 'amount' is double, but the SQL of view 'spending' gives"
            + " decimal(22,2); write CAST(… AS double) AS amount there",
        "sum(amount) AS amount",
        "sum(CAST(amount AS DECIMAL(12,2))) AS amount");
    assertRefused(
        "features/users.conf:7: key column 'user_id' is bigint, but the SQL of view 'spending'"
            + " gives string; write CAST(… AS bigint) AS user_id there",
        "SELECT user_id",
        "SELECT CAST(user_id AS STRING) AS user_id");
  }

  @Test
  void aSyntaxErrorIsToldWithItsLineInTheFile() {
    assertRefused(
        "features/users.conf:10: the SQL of view 'spending': Syntax error at or near 'user_id':"
            + " extra input 'user_id'",
        "\"SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id\"",
        "\"\"\"\n SELECT user_id, count(*) AS orders,\n sum(amount) AS amount\n FROM orders GROUP user_id\"\"\"");
  }

  @Test
  void anUnknownColumnIsToldWithItsLineInTheFile() {
    assertRefused(
        "features/users.conf:9: the SQL of view 'spending': A column or function parameter with"
            + " name `amout` cannot be resolved. Did you mean one of the following? [`amount`,"
            + " `at`, `user_id`]",
        "\"SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id\"",
        "\"\"\"\n SELECT user_id, count(*) AS orders,\n sum(amout) AS amount\n FROM orders GROUP BY 1\"\"\"");
  }

  @Test
  void aTableThatIsNoSourceOfTheViewIsRefused() {
    assertRefused(
        "features/users.conf:7: the SQL of view 'spending': 'order' is none of the view's sources;"
            + " did you mean 'orders'?",
        "FROM orders GROUP",
        "FROM order GROUP");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '#',
      quoteCharacter = '|',
      value = {
        "current_date() # current_date() is the clock of the machine",
        "current_date # current_date() is the clock of the machine",
        "now() # now() is the clock of the machine",
        "unix_timestamp() # current_timestamp() is the clock of the machine",
        "localtimestamp() # localtimestamp() is the clock of the machine",
        "date 'Today' # 'Today' is the clock of the machine",
        "CAST('now ' AS TIMESTAMP) # 'now ' is the clock of the machine",
        "at < 'yesterday' # 'yesterday' is the clock of the machine",
        "CAST(concat('to', 'day') AS DATE) # 'today' is the clock of the machine",
        "TIMESTAMP '10:15' # '10:15' is the clock of the machine",
        "timestamp_ltz ' T10:15:00Z' # 'T10:15:00Z' is the clock of the machine",
        "CAST('10:15:00' AS TIMESTAMP) # '10:15:00' is the clock of the machine",
        "to_timestamp('T10:15') # 'T10:15' is the clock of the machine",
        "at < '10:15' # '10:15' is the clock of the machine",
        "(SELECT max(now()) FROM orders) # now() is the clock of the machine",
        "rand() # rand() is chance",
        "rand(42) # rand() is chance",
        "randn() # randn() is chance",
        "uuid() # uuid() is chance",
        "shuffle(array(1, 2)) # shuffle() is chance",
        "monotonically_increasing_id() # monotonically_increasing_id() is chance",
        "spark_partition_id() # spark_partition_id() is chance",
        "input_file_name() # input_file_name() says how a source is stored",
        "java_method('java.util.UUID', 'randomUUID') # java_method() calls what is no SQL",
        "reflect('java.lang.System', 'nanoTime') # reflect() calls what is no SQL",
        "current_user() # current_user() depends on where and by whom the job is run",
        "current_database() # current_database() depends on where and by whom the job is run",
        "version() # version() depends on where and by whom the job is run",
      })
  void whatAnotherRunWouldGiveOtherwiseIsRefused(String expression, String reason) {
    orders.define(
        "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id",
        "SELECT user_id, 1L AS orders, amount, %s AS x FROM orders".formatted(expression));
    assertThatThrownBy(this::check)
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(
            "1 problem in the definitions\n  features/users.conf:7: the SQL of view 'spending': "
                + reason);
  }

  @Test
  void onlyDeclaredSourcesAreRead() {
    String path = orders.bench().path("orders").toString();
    for (String relation :
        List.of(
            "parquet.`" + path + "`",
            "csv.`/no/such`",
            "tarn.features.other",
            "default.x",
            "global_temp.y")) {
      String text = relation.replace("`", "");
      for (String sql :
          List.of(
              "FROM " + relation + " GROUP",
              "FROM orders WHERE user_id IN (SELECT user_id FROM " + relation + ") GROUP",
              "FROM (WITH c AS (SELECT * FROM " + relation + ") SELECT c.* FROM c, orders) GROUP",
              "FROM orders JOIN LATERAL (SELECT * FROM " + relation + ") GROUP")) {
        assertRefused(
            "features/users.conf:7: the SQL of view 'spending': '%s' is none of the view's sources, so an as-of of the past would see what it has by now; declare it as a source, with its timestamp"
                .formatted(text),
            "FROM orders GROUP",
            sql);
      }
    }
    orders
        .bench()
        .spark()
        .sql("CREATE OR REPLACE TEMP VIEW aside AS SELECT 1 AS user_id, 2 AS amount");
    assertRefused(
        "features/users.conf:7: the SQL of view 'spending': 'aside' is none of the view's sources, so an as-of of the past would see what it has by now; declare it as a source, with its timestamp",
        "FROM orders GROUP",
        "FROM aside GROUP");
  }

  @Test
  void samplesAndCommandsAreRefused() {
    String chance =
        "features/users.conf:7: the SQL of view 'spending': TABLESAMPLE is chance: another run gives other values; take a hash of a key, e.g. xxhash64(…)";
    assertRefused(chance, "FROM orders GROUP", "FROM orders TABLESAMPLE (50 PERCENT) GROUP");
    assertRefused(chance, "FROM orders GROUP", "FROM orders TABLESAMPLE (5 ROWS) GROUP");
    String select =
        "SELECT user_id, count(*) AS orders, sum(amount) AS amount FROM orders GROUP BY user_id";
    for (String command :
        List.of(
            "DROP TABLE x",
            "CREATE TABLE x AS SELECT 1 AS a",
            "SET a = b",
            "INSERT INTO x SELECT 1",
            "CALL tarn.system.expire_snapshots('x')")) {
      assertRefused(
          "features/users.conf:7: the SQL of view 'spending': it is no query: write SELECT …",
          select,
          command);
    }
  }

  @Test
  void whatTheSourcesAndTheAsOfDecideIsAllowed() {
    orders.define(
        "FROM orders GROUP BY user_id",
        "FROM (WITH c AS (SELECT * FROM orders) SELECT c.* FROM c CROSS JOIN range(2) r CROSS JOIN VALUES (1, 'tablesample (5 rows)') AS v(x, y))"
            + " WHERE at < :as_of AND 'rand()' <> 'today' AND user_id IN (SELECT user_id FROM orders) GROUP BY user_id");
    check();
  }

  @Test
  void theSourceOfAnotherViewIsNoSourceOfThisOne() {
    Orders two = new Orders();
    String path = two.bench().path("orders").toString();
    two.define(
        "sources {",
        "sources { payments { format = parquet, path = \"%s\" }, ".formatted(path),
        "  spending {",
        """
          first {
            entity = user, sources = [payments], sql = "SELECT user_id, 1 AS one FROM payments"
            features = [{ name = one, type = int }]
          }
          spending {""",
        "FROM orders GROUP",
        "FROM payments GROUP");
    assertThat(two.bench().run("validate")).isEqualTo(2);
    assertThat(two.bench().output())
        .isEqualTo(
            "tarn: 1 problem in the definitions\n  features/users.conf:11: the SQL of view"
                + " 'spending': 'payments' is none of the view's sources; there are: orders\n");
  }

  @Test
  void aSourceWithoutItsTimestampColumnIsRefused() {
    assertRefused(
        "features/users.conf:2: source 'orders' has no column 'paid_at' for its timestamp;"
            + " there are: user_id, at, amount",
        "timestamp = at",
        "timestamp = paid_at");
  }

  @Test
  void aTimestampThatIsNoMomentIsRefused() {
    assertRefused(
        "features/users.conf:2: source 'orders': its timestamp 'amount' is double; it must be"
            + " timestamp or date",
        "timestamp = at",
        "timestamp = amount");
  }

  @Test
  void aTimestampMayBeAnExpressionOverTheSourcesColumns() {
    orders.define("timestamp = at", "timestamp = \"to_timestamp(concat(date(at), ' ', '09:30'))\"");
    check();
    orders.define("timestamp = at", "timestamp = \"date(at)\"");
    check();
    assertRefused(
        "features/users.conf:2: source 'orders': its timestamp 'amount + 1' is double; it must be"
            + " timestamp or date",
        "timestamp = at",
        "timestamp = \"amount + 1\"");
    assertRefused(
        "features/users.conf:2: source 'orders': its timestamp 'timestamp(paid)' is neither a"
            + " column nor an expression over its columns (user_id, at, amount): A column or"
            + " function parameter with name `paid` cannot be resolved. Did you mean one of the"
            + " following? [`at`, `amount`, `user_id`]",
        "timestamp = at",
        "timestamp = \"timestamp(paid)\"");
    for (String wrong : new String[] {"max(at)", "at +", "explode(array(at))"}) {
      orders.define("timestamp = at", "timestamp = \"%s\"".formatted(wrong));
      assertThatThrownBy(this::check)
          .isInstanceOf(UsageException.class)
          .hasMessageContaining(
              "features/users.conf:2: source 'orders': its timestamp '%s' is neither a column nor"
                  + " an expression",
              wrong);
    }
    for (String wrong :
        new String[] {
          "current_timestamp()",
          "now() - INTERVAL 1 HOUR",
          "timestamp'2026-01-01'",
          "greatest(at, timestamp '10:15')",
          "if(at > 'today', at, NULL)",
          "if(rand() > 0.5, at, NULL)"
        }) {
      orders.define("timestamp = at", "timestamp = \"%s\"".formatted(wrong));
      assertThatThrownBy(this::check)
          .isInstanceOf(UsageException.class)
          .hasMessageContaining(
              "source 'orders': its timestamp '%s' says of no row when it happened", wrong);
    }
  }

  @Test
  void validateWarnsOfASourceWithoutATimestamp() {
    Orders without = new Orders();
    without.define(", timestamp = at", "");
    assertThat(without.bench().run("validate")).isZero();
    assertThat(without.bench().output())
        .contains("All definitions are right: ")
        .contains(
            "warning: features/users.conf:2: source 'orders' has no timestamp, so a build sees all"
                + " of its rows, also what came after its as-of; if they have a time, say"
                + " timestamp = … (a column or an expression)\n");
  }

  @Test
  void aSourceThatIsNotThereIsRefusedWhereItIsDefined() {
    assertRefused(
        "features/users.conf:2: source 'orders' can't be read at /no/such/folder: there is no such"
            + " file or folder",
        orders.bench().path("orders").toString(),
        "/no/such/folder");
  }

  @Test
  void theNullabilityOfNestedTypesDoesNotMatter() {
    orders.define(
        "sum(amount) AS amount",
        "array(named_struct('a', sum(amount))) AS amount",
        "type = double",
        "type = \"array<struct<a:double>>\"");
    check();
  }

  @Test
  void validateCountsWhatIsThere() {
    Orders right = new Orders();
    assertThat(right.bench().run("validate")).isZero();
    assertThat(right.bench().output())
        .isEqualTo(
            "All definitions are right: 1 entity, 1 source, 1 feature view, 0 feature"
                + " services.\n");
  }

  @Test
  void validateWritesForASchedulerWhatThereIsToRun() throws IOException {
    Orders right = new Orders();
    Path out = right.bench().path("definitions.json");
    assertThat(right.bench().run("validate", "out=" + out)).isZero();
    JsonObject view =
        JsonParser.parseString(Files.readString(out))
            .getAsJsonObject()
            .getAsJsonArray("feature_views")
            .get(0)
            .getAsJsonObject();
    String name = view.get("name").getAsString();
    assertThat(view.get("table").getAsString()).isEqualTo(right.bench().lake().sqlName(name));
    String hash = right.bench().definitions().view(name).definitionHash();
    assertThat(view.get("definition_hash").getAsString()).isEqualTo(hash);

    Path nowhere = right.bench().path("no/such/file");
    assertThat(right.bench().run("validate", "out=" + nowhere)).isOne();
    assertThat(right.bench().output())
        .contains("tarn: can't write out=%s: NoSuchFileException".formatted(nowhere));

    String before = Files.readString(out);
    right.define("AS amount", "AS amout");
    assertThat(right.bench().run("validate", "out=" + out)).isEqualTo(2);
    assertThat(out).hasContent(before);
  }

  @Test
  void validateTellsAllProblemsAndExitsWith2() {
    Orders wrong = new Orders();
    wrong.define("AS amount", "AS amout", "type = bigint }\n", "type = int }\n");
    assertThat(wrong.bench().run("validate")).isEqualTo(2);
    assertThat(wrong.bench().output())
        .isEqualTo(
            """
            tarn: 2 problems in the definitions
              features/users.conf:9: feature 'orders' is int, but the SQL of view 'spending' gives\
             bigint; write CAST(… AS int) AS orders there
              features/users.conf:10: the SQL of view 'spending' does not give the feature\
             'amount'; did you mean 'amout'?
            """);
  }

  private void assertRefused(String problem, String... changes) {
    orders.define(changes);
    assertThatThrownBy(this::check)
        .isInstanceOf(UsageException.class)
        .hasMessage("1 problem in the definitions\n  %s", problem);
  }

  private void check() {
    FeatureView view = orders.bench().definitions().view("spending");
    Problems problems = new Problems();
    ViewQuery.check(orders.bench().spark(), view, problems);
    problems.throwIfAny();
  }
}
