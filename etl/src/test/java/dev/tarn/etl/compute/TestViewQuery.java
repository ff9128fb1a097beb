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
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

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
            "All definitions are right: 1 entities, 1 sources, 1 feature views, 0 feature"
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
