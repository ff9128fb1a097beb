"""What the notebooks share: a Tarn of its own for each, and how their plots look."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import payments
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table
from tarn.testing import LocalTarn, Server

HERE = Path(__file__).resolve().parent

plt.rcParams.update(
    {
        "figure.figsize": (8, 3.5),
        "figure.dpi": 80,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
    }
)
pd.set_option("display.precision", 3)


class Workshop:
    """A lake with the card payments in it, in a folder below target/."""

    def __init__(self, name: str) -> None:
        """Write the payments, if they are not there from the last time."""
        # As it is named in commands: notebooks run in this folder.
        self.folder = Path("target") / name
        self._tarn = LocalTarn(HERE.parent, self.folder, {"definitions": str(HERE / "features")})
        self.payments = payments.make()
        payments.write(self.payments, self._tarn.state / "payments")

    def tarn(self, command: str) -> None:
        """Run ``./tarn`` with these words, and print what it prints."""
        print(f"$ ./tarn {command}")
        print(self._tarn.run(*command.split(), with_messages=True).strip())

    def table(self, view: str) -> Table:
        """Return a feature table, as PyIceberg reads it."""
        return load_catalog("tarn", **self._tarn.catalog).load_table(f"features.{view}")

    def serve(self) -> Server:
        """Start ``./tarn serve``."""
        return self._tarn.serve()
