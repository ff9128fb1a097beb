"""A Keras model that foresees declined payments, with features from Tarn.

Trained on a training set that Tarn makes, with the vectors that the server answers. After
./tarn demo, in the folder of this file (../venv prints the python):

    export KERAS_BACKEND=jax
    python decline_model.py spine ../../../.tarn/demo/transactions spine.parquet
    ../../../tarn train spine=spine.parquet service=fraud_score vectors=true out=training
    python decline_model.py train training decline.keras
    python decline_model.py predict decline.keras 127.0.0.1:50051 1 2 3
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tarn import FeatureClient

SERVICE = "fraud_score"


def spine(transactions: Path) -> pd.DataFrame:
    """Return what to learn from: the payments of the last two days, and whether they were declined.

    The last day is the split ``test``, so that the model is judged as it is used: on what comes
    after what it was trained on.
    """
    payments = pd.read_parquet(transactions, columns=["user_id", "event_time", "status"])
    end = payments["event_time"].max().ceil("D")
    payments = payments[payments["event_time"] >= end - pd.Timedelta(days=2)]
    is_test = payments["event_time"] >= end - pd.Timedelta(days=1)
    return pd.DataFrame(
        {
            "user_id": payments["user_id"],
            "event_timestamp": payments["event_time"].dt.as_unit("us"),
            "declined": (payments["status"] == "declined").astype("int32"),
            "split": np.where(is_test, "test", "train"),
        }
    )


def inputs(training: pd.DataFrame) -> NDArray[np.float32]:
    """Return the vectors of a training set as one array: the bytes, side by side."""
    return np.frombuffer(b"".join(training["vector"]), dtype="<f4").reshape(len(training), -1)


def train(training: pd.DataFrame) -> keras.Model:
    """Fit a model on the rows of the split ``train``."""
    rows = training[training["split"] == "train"]
    x, y = inputs(rows), rows["declined"].to_numpy()
    keras.utils.set_random_seed(1)
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input((x.shape[1],)),
            normalization,
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    model.fit(x, y, batch_size=64, epochs=8, verbose=0)
    return model


def scores(model: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probability of each row to be declined."""
    return np.asarray(model(x))[:, 0]


def predict(
    model: keras.Model, features: FeatureClient, user_ids: Sequence[str]
) -> NDArray[np.float32]:
    """Score users with what is served now; of a user that is not known there is NaN."""
    vectors = features.vectors(SERVICE, user_ids)
    return np.where(vectors.found, scores(model, vectors.values), np.float32("nan"))


def main(words: list[str]) -> None:
    """Run what the words say; see above."""
    match words:
        case ["spine", transactions, file]:
            spine(Path(transactions)).to_parquet(file, index=False)
        case ["train", training, file]:
            model = train(pd.read_parquet(Path(training)))
            model.save(file)
        case ["predict", file, target, *user_ids]:
            with FeatureClient(target) as features:
                model = keras.saving.load_model(file)
                risks = predict(model, features, user_ids)
            for user_id, risk in zip(user_ids, risks, strict=True):
                print(f"{user_id}\t{risk:.4f}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
