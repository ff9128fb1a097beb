"""Tarn's jobs as Airflow tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from tarn_airflow import assets
from tarn_airflow.output import JobOutput, result

if TYPE_CHECKING:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk import Context

# Of a job that was told something it can't do: trying again would say the same.
_BAD_USE = 2

# The run's logical date; as_of says so where a run has none.
_AS_OF = "{{ as_of(dag_run) }}"


def as_of(dag_run: Any) -> str:
    """Return what a run builds its features for: its logical date.

    :raises AirflowFailException: if it has none, as when it was triggered without
    """
    if dag_run.logical_date is None:
        raise AirflowFailException(
            "this run has no logical date, and so no as-of to build: trigger it with one"
        )
    return str(dag_run.logical_date.isoformat())


class TarnOperator(SparkSubmitOperator):
    """Runs a command of Tarn by spark-submit.

    The JSON summary that the job writes is what the task returns. It comes by a file, for any line
    of the output may be one of a log. When the job fails, the task fails with the job's own
    message; it is not tried again if the job calls it bad use, or if it has done its work and that
    is what it found, as a verification does.
    """

    ui_color = "#d8ecf3"

    def __init__(self, *, words: Sequence[str], **kwargs: Any) -> None:
        """Take the command's words and what ``SparkSubmitOperator`` takes."""
        super().__init__(
            java_class="dev.tarn.etl.Main",
            application_args=[*words, "format=json"],
            **kwargs,
        )
        self._output = JobOutput()

    def execute(self, context: Context) -> dict[str, Any] | None:  # type: ignore[override]
        """Run the job and return its summary; None where the driver runs on another machine."""
        if self._is_driver_elsewhere():
            self.log.info("The driver runs in the cluster, so there is no summary to return")
            self._run_job(context, None)
            return None
        with TemporaryDirectory(prefix="tarn-") as folder:
            file = Path(folder) / "result.json"
            words = self.application_args or []
            self.application_args = [*words, f"result-file={file}"]
            try:
                summary = self._run_job(context, file)
            finally:
                self.application_args = words
        if summary is None:
            raise AirflowException(
                "the job ended well, but wrote no summary: what it did is not known here. Tarn's"
                " jobs can be run again. If it happens again, the jar may be of another version"
                " than these DAGs"
            )
        self.done(summary, context)
        return summary

    def _run_job(self, context: Context, file: Path | None) -> dict[str, Any] | None:
        """Run the job; return the summary that it has written to the file, if it has."""
        self._hook = self._get_hook()
        try:
            super().execute(context)
        except (AirflowException, RuntimeError):
            message = self._output.message()
            if message is None:
                # Killed, or the driver's output stays in the cluster: then this says more.
                raise
            process = self._hook._submit_sp
            is_bad_use = process is not None and process.returncode == _BAD_USE
            summary = None if file is None else result(file)
            if summary is not None:
                context["ti"].xcom_push("return_value", summary)
            is_final = is_bad_use or summary is not None
            # The job's words only: command and output stand above them in the log.
            raise (AirflowFailException if is_final else AirflowException)(message) from None
        return None if file is None else result(file)

    def done(self, summary: dict[str, Any], context: Context) -> None:
        """Make of the summary what else there is to make of it."""

    def _is_driver_elsewhere(self) -> bool:
        """Return whether the driver runs in the cluster, where no file of this machine is."""
        by_conf = (self.conf or {}).get("spark.submit.deployMode")
        return "cluster" in (self._get_hook()._connection["deploy_mode"], by_conf)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        process = hook._process_spark_submit_log

        def listen(lines: Iterator[str]) -> None:
            process(self._output.listen(lines))

        hook._process_spark_submit_log = listen  # type: ignore[method-assign,assignment]
        return hook


class BuildOperator(TarnOperator):
    """Builds a feature view for the logical date.

    Building an as-of again replaces its rows, so a retry is safe, and a run that is cleared takes
    what the sources say by then.
    """

    def __init__(self, *, view: str, words: Sequence[str] = (), **kwargs: Any) -> None:
        """Take the view, and words to put behind the command."""
        super().__init__(
            words=["build", f"view={view}", f"as-of={_AS_OF}", *words],
            outlets=[assets.table(view)],
            **kwargs,
        )
        self._view = view

    def done(self, summary: dict[str, Any], context: Context) -> None:
        """Say in the table's event which as-of there is."""
        built = summary["as_ofs"][-1]
        context["outlet_events"][assets.table(self._view)].extra = {
            name: built[name] for name in ("as_of", "snapshot_id", "rows")
        }


class PushOperator(TarnOperator):
    """Pushes the newest snapshot of each view and releases all of them at once.

    The newest, and not the one that this run has built: a run of an older as-of that comes late
    must not serve less than what is there. Pushing what is released already changes nothing.
    """

    def __init__(self, *, views: Sequence[str], words: Sequence[str] = (), **kwargs: Any) -> None:
        """Take the views, and words to put behind the command."""
        super().__init__(
            words=["push", f"views={','.join(views)}", *words],
            outlets=[assets.release(view) for view in views],
            **kwargs,
        )

    def done(self, summary: dict[str, Any], context: Context) -> None:
        """Say in each release's event what it is.

        :raises AirflowSkipException: if all views are pinned, so that nothing was released
        """
        outcomes: list[Mapping[str, Any]] = summary["feature_views"]
        pinned = [outcome for outcome in outcomes if outcome["state"] == "pinned"]
        if len(pinned) == len(outcomes):
            raise AirflowSkipException(
                "nothing was pushed, a rollback has pinned "
                + ", ".join(f"{it['feature_view']} to {it['version']}" for it in pinned)
                + "; ./tarn unpin lets pushes release again"
            )
        for outcome in outcomes:
            asset = assets.release(outcome["feature_view"])
            if outcome in pinned:
                # It has no release, so there is no event.
                self.outlets.remove(asset)
            else:
                context["outlet_events"][asset].extra = {
                    name: outcome[name] for name in ("version", "snapshot_id", "as_of", "state")
                }


class TrainOperator(TarnOperator):
    """Makes a training set; a retry replaces what there is at its place."""

    def __init__(self, *, training_set: str, words: Sequence[str], **kwargs: Any) -> None:
        """Take the set's name and the words behind ``train``."""
        super().__init__(
            words=["train", *words, "overwrite=true"],
            outlets=[assets.training_set(training_set)],
            **kwargs,
        )
        self._training_set = training_set

    def done(self, summary: dict[str, Any], context: Context) -> None:
        """Say in the set's event where it is."""
        context["outlet_events"][assets.training_set(self._training_set)].extra = {
            name: summary[name] for name in ("manifest", "out", "rows")
        }
