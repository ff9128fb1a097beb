"""The assets that the DAGs bring up to date.

A DAG of yours can run when they are: ``schedule=[Asset("tarn://releases/user_activity")]``.
"""

from airflow.sdk import Asset


def table(view: str) -> Asset:
    """Return the feature table of a view; an event is an as-of that a build has published."""
    return Asset(f"tarn://tables/{view}")


def release(view: str) -> Asset:
    """Return what is served of a view; an event is a version that a push has released."""
    return Asset(f"tarn://releases/{view}")


def training_set(name: str) -> Asset:
    """Return a training set; an event is one that was made."""
    return Asset(f"tarn://sets/{name}")
