package dev.tarn.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TestCommandLine {

  @Test
  void aPasswordIsNotTakenFromTheCommandLine() {
    assertThatThrownBy(() -> CommandLine.parse("versions", "redis.password=hunter2"))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("export TARN_REDIS_PASSWORD")
        .hasMessageNotContaining("hunter2");
  }

  @Test
  void helpListsEveryCommand() {
    for (String word : new String[] {"help", "--help", "-h"}) {
      assertThat(printed(word)).startsWith("usage: ./tarn <command> [name=value ...]");
    }
    String overview = printed();
    for (Command command : Command.values()) {
      assertThat(overview).contains("  " + command.word() + " ");
    }
    assertThat(overview).contains("Exit status: 0 done, 1 failed, 2 bad use.");
  }

  @Test
  void helpOfACommandListsItsArgumentsWhereverTheWordStands() {
    assertThat(printed("build", "help"))
        .startsWith("usage: ./tarn build [view=…] [views=…] [as-of=…] [from=…] [to=…] [every=…]")
        .contains("the moment, e.g. 2026-11-20 or 2026-11-20T06:00:00Z");
    assertThat(printed("build", "view=a", "--help")).isEqualTo(printed("build", "help"));
    assertThat(printed("help", "build")).isEqualTo(printed("build", "help"));
    assertThat(printed("help", "bench", "push")).isEqualTo(printed("bench", "push", "help"));
    for (Command command : Command.values()) {
      String help = printed(command.word(), "-h");
      for (Command.Argument argument : command.arguments()) {
        assertThat(help).contains(argument.name()).contains(argument.help());
      }
    }
  }

  @Test
  void someArgumentsHaveOneOfEachView() {
    CommandLine line =
        CommandLine.parse(
                "train", "at.user_activity=5", "at.user_location=2026-11-20T06:00:00Z", "at=tag")
            .orElseThrow();
    assertThat(line.byView("at"))
        .containsOnly(
            Map.entry("user_activity", "5"), Map.entry("user_location", "2026-11-20T06:00:00Z"));
    assertThat(line.text("at")).isEqualTo("tag");
    assertRefused("'train' takes no 'at.'", "train", "at.=5");
    assertRefused("'build' takes no 'at.user'", "build", "view=a", "at.user=5");
  }

  @Test
  void anUnknownCommandIsRefusedWithTheNearestOne() {
    assertRefused("there is no command 'biuld'; did you mean 'build'?\n\nusage: ./tarn", "biuld");
    assertRefused(
        "there is no command 'frobnicate'; there are: demo, demo live, up, down,", "frobnicate");
  }

  @Test
  void anUnknownArgumentIsRefusedWithTheNearestOne() {
    assertRefused(
        "'build' takes no 'vieew', and there is no such setting; did you mean 'view'?\n\n"
            + "usage: ./tarn build [view=…]",
        "build",
        "vieew=a");
    assertRefused(
        "'build' takes no 'redis.prot', and there is no such setting; did you mean 'redis.port'?",
        "build",
        "view=a",
        "redis.prot=1");
    assertRefused(
        "'up' takes no 'somethingelse', and there is no such setting\n\nusage: ./tarn up",
        "up",
        "somethingelse=1");
    // A section is no setting.
    assertRefused(
        "'up' takes no 'catalog', and there is no such setting", "up", "catalog=jdbc:sqlite:x");
  }

  @Test
  void aMissingArgumentIsNamedWithWhatItIs() {
    assertRefused("'verify' needs view=…: the feature view\n\nusage: ./tarn verify", "verify");
    assertRefused("'get' needs ids=…: entity ids, separated by commas", "get", "entity=user");
  }

  @Test
  void aWordThatIsNoAssignmentIsRefused() {
    assertRefused(
        "'user_activity' is not name=value\n\nusage: ./tarn build", "build", "user_activity");
    assertRefused("'=x' is not name=value\n\nusage: ./tarn build", "build", "=x");
  }

  @Test
  void timesAndAddressesNeedNoQuotes() {
    CommandLine line = parse("build", "view=a", "as-of=2026-11-20T06:00:00Z");
    assertThat(line.command()).isEqualTo(Command.BUILD);
    assertThat(line.text("as-of")).isEqualTo("2026-11-20T06:00:00Z");
    assertThat(parse("get", "ids=1", "target=db.example.org:50051").text("target"))
        .isEqualTo("db.example.org:50051");
    assertThat(parse("get", "ids=1", "target=\"[::1]:50051\"").text("target"))
        .isEqualTo("[::1]:50051");
  }

  @Test
  void textsMayHoldAnything() {
    assertThat(parse("get", "ids=a=b#c//d ${x} é😀").text("ids")).isEqualTo("a=b#c//d ${x} é😀");
    assertThat(parse("get", "ids=").text("ids")).isEmpty();
  }

  @Test
  void listsAreSeparatedByCommasOrAreHocon() {
    assertThat(parse("get", "ids=1,b , ").list("ids")).containsExactly("1", "b ", " ");
    assertThat(parse("get", "ids=[\"a,b\", c, 3]").list("ids")).containsExactly("a,b", "c", "3");
    assertThat(parse("get", "ids=\"a\\\"b\"").list("ids")).containsExactly("a\"b");
    assertThat(parse("get", "ids=1").list("features")).isEmpty();
  }

  @Test
  void brokenHoconIsRefusedWithTheArgumentsName() {
    assertRefused("ids=[\"a\": ", "get", "ids=[\"a\"");
    assertRefused("ids=[a, ${b}]: ", "get", "ids=[a, ${b}]");
    CommandLine line = parse("get", "ids=[a, null]");
    assertThatThrownBy(() -> line.list("ids"))
        .isInstanceOf(UsageException.class)
        .hasMessage("ids has a null: leave it out, or write \"null\"");
  }

  @Test
  void settingsOverrideThoseOfTheFile() {
    CommandLine line =
        parse("build", "view=a", "redis.port=7", "spark.sql.shuffle.partitions=3", "catalog.uri=x");
    Settings settings = Settings.load(line);
    assertThat(settings.<Integer>read(tarn -> tarn.getInt("redis.port"))).isEqualTo(7);
    assertThat(settings.<String>read(tarn -> tarn.getString("spark.\"sql.shuffle.partitions\"")))
        .isEqualTo("3");
    assertThat(line.settingWords())
        .containsExactlyInAnyOrder(
            "redis.port=7", "spark.sql.shuffle.partitions=3", "catalog.uri=x");
  }

  @Test
  void numbersAreCheckedWhenTheyAreRead() {
    assertThat(parse("demo", "rows=1_000").number("rows", 1, 5)).isEqualTo(1_000);
    assertThat(parse("demo").number("rows", 1, 5)).isEqualTo(5);
    for (String bad : new String[] {"0", "-1", "1e3", "ten", "", "99999999999999999999"}) {
      CommandLine line = parse("demo", "rows=" + bad);
      assertThatThrownBy(() -> line.number("rows", 1, 5))
          .isInstanceOf(UsageException.class)
          .hasMessage("rows=%s is not a whole number from 1 up", bad);
    }
  }

  @Test
  void flagsAndFormatsTakeTheirWordsOnly() {
    assertThat(parse("build", "view=a", "rebuild=true").flag("rebuild")).isTrue();
    assertThat(parse("build", "view=a").flag("rebuild")).isFalse();
    CommandLine yes = parse("build", "view=a", "rebuild=yes");
    assertThatThrownBy(() -> yes.flag("rebuild"))
        .isInstanceOf(UsageException.class)
        .hasMessage("rebuild=yes: it is true or false");
    assertThat(parse("versions", "format=json").isJson()).isTrue();
    assertThat(parse("versions").isJson()).isFalse();
    CommandLine xml = parse("versions", "format=xml");
    assertThatThrownBy(xml::isJson)
        .isInstanceOf(UsageException.class)
        .hasMessage("format=xml: there are table and json");
  }

  private static CommandLine parse(String... words) {
    return CommandLine.parse(words).orElseThrow();
  }

  private static void assertRefused(String begin, String... words) {
    assertThatThrownBy(() -> CommandLine.parse(words))
        .isInstanceOfSatisfying(
            UsageException.class,
            e -> {
              assertThat(e.getMessage()).startsWith(begin);
              assertThat(e.exitStatus()).isEqualTo(2);
            });
  }

  private static String printed(String... words) {
    PrintStream before = System.out;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    try {
      assertThat(CommandLine.parse(words)).isEqualTo(Optional.empty());
    } finally {
      System.setOut(before);
    }
    return out.toString(StandardCharsets.UTF_8);
  }
}
