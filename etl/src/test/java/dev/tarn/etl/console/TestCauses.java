package dev.tarn.etl.console;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

class TestCauses {

  @Test
  void whatOuterCausesSayIsNotLost() {
    Throwable failure =
        new IllegalStateException(
            "can't read file:/lake/a.parquet", new IOException("column x is INT32"));
    assertThat(Causes.reason(failure))
        .isEqualTo("can't read file:/lake/a.parquet: column x is INT32");
  }

  @Test
  void eachThingIsSaidOnce() {
    Throwable inner = new IOException("the disk is full");
    assertThat(Causes.reason(new RuntimeException(new ExecutionException(inner))))
        .isEqualTo("the disk is full");
    assertThat(Causes.reason(new RuntimeException("failed: the disk is full.", inner)))
        .isEqualTo("failed: the disk is full.");
    assertThat(
            Causes.reason(
                new RuntimeException("it is full", new IOException("it is full of rows"))))
        .isEqualTo("it is full of rows");
  }

  @Test
  void sparksSummaryOfATaskIsNotWhatIsWrong() {
    String summary =
        "Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (host executor driver): java.io.IOException: no space\n\tat a.B.c(B.java:1)\nDriver stacktrace:";
    assertThat(Causes.reason(new RuntimeException(summary, new IOException("no space left"))))
        .isEqualTo("no space left");
    assertThat(Causes.reason(new RuntimeException(summary)))
        .isEqualTo("java.io.IOException: no space");
  }

  @Test
  void allLinesOfAMessageCountButNoPlanAndNoTrace() {
    assertThat(
            Causes.reason(
                new RuntimeException(
                    "CSV header does not conform to the schema.\n Header: a\n Schema: b\nCSV file: file:/x.csv")))
        .isEqualTo(
            "CSV header does not conform to the schema. Header: a; Schema: b; CSV file: file:/x.csv");
    assertThat(
            Causes.reason(
                new RuntimeException(
                    "no column x; line 1 pos 7;\n'Project ['x]\n+- OneRowRelation\n")))
        .isEqualTo("no column x; line 1 pos 7");
    assertThat(Causes.reason(new RuntimeException("it failed\n\tat a.B.c(B.java:1)\nCaused by: x")))
        .isEqualTo("it failed");
    assertThat(
            Causes.reason(
                new RuntimeException(
                    "\n[PARSE_SYNTAX_ERROR] Syntax error at 'x'.(line 1, pos 3)\n\n== SQL ==\nSELECT\n---^^^\n")))
        .isEqualTo("[PARSE_SYNTAX_ERROR] Syntax error at 'x'.(line 1, pos 3)");
  }

  @Test
  void aMessageThatIsANameAloneGetsItsClass() {
    assertThat(Causes.reason(new RuntimeException("can't write", new NoSuchFileException("/a"))))
        .isEqualTo("can't write: NoSuchFileException: /a");
    assertThat(Causes.reason(new NullPointerException())).isEqualTo("NullPointerException");
  }
}
