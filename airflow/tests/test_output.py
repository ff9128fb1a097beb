from tarn_airflow.output import JobOutput

FAILED = """\
26/11/21 21:20:42 WARN NativeCodeLoader: Unable to load native-hadoop library
tarn: not this one, it is of a step before
26/11/21 21:20:43 ERROR Main: failed
dev.tarn.cli.TarnException: build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed
  at dev.tarn.etl.Main.main(Main.java:40)
tarn: build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed; nothing is published of it yet
  min-rows: 2 rows, and there have to be 1000
  range: customer_id=1
26/11/21 21:20:44 INFO ShutdownHookManager: Deleting directory
  /tmp/spark-1
"""


def heard(text: str) -> JobOutput:
    output = JobOutput()
    assert "".join(output.listen(text.splitlines(keepends=True))) == text
    return output


def test_the_message_is_the_last_one_with_all_its_lines() -> None:
    assert heard(FAILED).message() == (
        "build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed;"
        " nothing is published of it yet\n"
        "  min-rows: 2 rows, and there have to be 1000\n"
        "  range: customer_id=1"
    )


def test_of_a_job_that_was_killed_there_is_no_message() -> None:
    assert heard("spending as of 2026-01-02: 3 rows\nKilled\n").message() is None


def test_the_summary_is_the_last_object_whatever_stands_around_it() -> None:
    output = heard('{"of": "a log"}\nsaid\n{"rows": 3, "of": {"a": 1}}26/11/21 INFO stopped\n{no\n')
    assert output.summary() == {"rows": 3, "of": {"a": 1}}
    assert heard("nothing\n").summary() is None
