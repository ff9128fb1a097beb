from pathlib import Path

from tarn_airflow.output import JobOutput, result

FAILED = """\
26/11/21 21:20:42 WARN NativeCodeLoader: Unable to load native-hadoop library
tarn: not this one, it is of a step before
26/11/21 21:20:43 ERROR Main: failed
dev.tarn.cli.TarnException: build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed
  at dev.tarn.etl.Main.main(Main.java:40)
tarn: build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed; main stays at nothing
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
        "build of crowd as of 2026-01-02T00:00:00Z: 2 checks failed; main stays at nothing\n"
        "  min-rows: 2 rows, and there have to be 1000\n"
        "  range: customer_id=1"
    )


def test_of_a_job_that_was_killed_there_is_no_message() -> None:
    assert heard("spending as of 2026-01-02: 3 rows\nKilled\n").message() is None


def test_the_message_is_found_however_much_is_logged_after_it() -> None:
    log = '{"level":"INFO","message":"tarn: no"}\n' * 20_000
    assert heard(log + FAILED + log).message() == heard(FAILED).message()


def test_the_result_is_what_stands_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    assert result(file) is None
    file.write_text('{"rows": 3, "city": "Tromsø"}\n', encoding="utf-8")
    assert result(file) == {"rows": 3, "city": "Tromsø"}
    file.write_text("")
    assert result(file) is None
