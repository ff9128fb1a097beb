"""A Tarn with orders in it, and an Airflow that is told to run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import LocalTarn, free_port

from airflow_server import AirflowServer, fresh

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1]
DAGS = HERE.parent / "dags"
# Made by etl/stock-spark.
SPARK = next(HOME.glob("etl/target/pyspark/lib/python*/site-packages/pyspark"))
JAR = HOME / "etl" / "target" / "tarn-etl.jar"
# With these, jobs that do little take half of the time.
JAVA_OPTIONS = (
    "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xlog:cds=off -Xlog:cds+dynamic=off"
    f" -XX:SharedArchiveFile={HOME}/etl/target/pyspark/classes.jsa"
)

# What was run stays there to be looked at: logs, the log of each task, all databases.
WORK = HERE.parent / "target" / "test"

# Before anything of Airflow is imported, which reads it then.
os.environ.update(
    {
        "AIRFLOW_HOME": str(WORK / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_TARN_SPARK": json.dumps(
            {"conn_type": "spark", "host": "local[2]", "extra": {"deploy-mode": "client"}}
        ),
        "TARN_AIRFLOW_CONF": str(WORK / "tarn.toml"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
)

# Of each as-of is what happened before it. Customer 3 comes at exactly one of them.
ORDERS = """\
customer_id,at,amount,city
1,2025-12-31T10:00:00Z,1.0,Oslo
1,2026-01-01T10:00:00Z,2.0,Bergen
2,2026-01-01T12:00:00Z,4.0,Oslo
1,2026-01-02T10:00:00Z,8.0,Oslo
3,2026-01-03T00:00:00Z,16.0,Moss
2,2026-01-03T10:00:00Z,32.0,Bergen
1,2026-01-04T00:00:00Z,64.0,Moss
"""

LABELS = """\
customer_id,event_timestamp,label
1,2026-01-02T06:00:00Z,0
2,2026-01-03T12:00:00Z,1
3,2026-01-04T00:00:00Z,1
1,2026-01-01T06:00:00Z,0
"""

SETTINGS = """\
jar = "{jar}"
start = 2026-01-03
end = 2026-01-04
schedule = ""
retries = 1
retry-seconds = 1

[spark]
driver_memory = "1g"
[spark.conf]
"spark.log.level" = "WARN"
"spark.driver.extraJavaOptions" = "{java_options}"

[environment]
TARN_CONF = "{conf}"

[settings]
"push.keep" = 2

[releases.shop]
views = ["spending", "places"]
schedule = "0 0 * * *"

[training.shopper]
service = "shopper"
spine = "{labels}"
out = "{sets}/{{{{ dag_run.run_after | ts_nodash }}}}"

[maintenance]
schedule = ""
older-than = "0s"
"""


# A log in JSON on the console, as Spark 4 has it: no line of it may be taken for a job's summary.
# These loggers say something after it.
LOG_LAYOUT = """\
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = {"level":"%p","as_ofs":[],"msg":"%enc{%m}{JSON}"}%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.context.name = org.apache.spark.SparkContext
logger.context.level = info
logger.shutdown.name = org.apache.spark.util.ShutdownHookManager
logger.shutdown.level = info
"""


@pytest.fixture(scope="session")
def tarn() -> Iterator[LocalTarn]:
    """A Tarn with orders and definitions, and a Redis; nothing is built."""
    features = fresh(WORK) / "features"
    shutil.copytree(HERE / "features", features)
    shutil.copytree(HOME / "conf" / "features", features, dirs_exist_ok=True)
    local = LocalTarn(HOME, WORK / "tarn", {"definitions": str(features)})
    local.state.mkdir()
    (local.state / "orders.csv").write_text(ORDERS)
    (local.state / "labels.csv").write_text(LABELS)
    layout = WORK / "log4j2.properties"
    layout.write_text(LOG_LAYOUT)
    validate(local, WORK / "definitions.json")
    (WORK / "tarn.toml").write_text(
        SETTINGS.format(
            jar=JAR,
            java_options=f"{JAVA_OPTIONS} -Dlog4j2.configurationFile={layout}",
            conf=local.conf,
            labels=local.state / "labels.csv",
            sets=local.state / "sets",
        )
    )
    with local:
        yield local


def validate(local: LocalTarn, out: Path) -> None:
    """Write the definitions as JSON."""
    command: list[str | Path] = [
        SPARK / "bin" / "spark-submit",
        *("--master", "local[2]", "--driver-java-options", JAVA_OPTIONS),
        *("--class", "dev.tarn.etl.Main", JAR, "validate", f"out={out}"),
    ]
    subprocess.run(command, env={**local.environment, "SPARK_HOME": str(SPARK)}, check=True)


@pytest.fixture(scope="session")
def airflow(tarn: LocalTarn) -> Iterator[AirflowServer]:
    """Airflow with the DAGs of that Tarn, and with one of a view that Tarn does not know."""
    written = WORK / "definitions.json"
    definitions = json.loads(written.read_text())
    definitions["feature_views"].append({**definitions["feature_views"][0], "name": "spendings"})
    written.write_text(json.dumps(definitions))
    spark = {"SPARK_HOME": str(SPARK), "PATH": f"{SPARK / 'bin'}:{os.environ['PATH']}"}
    with AirflowServer(WORK / "airflow", free_port(), spark) as server:
        yield server
