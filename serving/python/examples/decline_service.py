"""A BentoML service that says how likely a user's next payment is declined.

    DECLINE_MODEL=decline.keras TARN_TARGET=127.0.0.1:50051 KERAS_BACKEND=jax \
        bentoml serve decline_service:DeclineRisk
    curl -H 'content-type: application/json' -d '{"user_id": "42"}' localhost:3000/score

It always answers in time. Where there are no features it answers the rate of all users, and says
why: a caller can then be more careful, and an operator counts the reasons.
"""

from __future__ import annotations

import os

import bentoml
import decline_model
import keras
from pydantic import BaseModel

from tarn import FeatureClient, TarnError

#: The share of all payments that are declined.
PRIOR = 0.1


class Score(BaseModel):
    """What a caller gets."""

    user_id: str
    risk: float
    #: Empty, or why the risk is that of all users: NOT_FOUND, or the status of the lookup.
    fallback: str
    #: The Iceberg snapshots that the features came from, by feature view: what a log should keep.
    snapshots: dict[str, int]


@bentoml.service(name="decline_risk", workers=1)
class DeclineRisk:
    """Fetches a user's vector, and scores it."""

    def __init__(self) -> None:
        self._model = keras.saving.load_model(os.environ["DECLINE_MODEL"])
        # One channel for all requests, made when the worker starts. The deadline leaves time for
        # the model within what callers of this service will wait.
        self._features = FeatureClient(os.environ["TARN_TARGET"], deadline=0.25)

    @bentoml.api
    def score(self, user_id: str) -> Score:
        """Score one user."""
        try:
            vectors = self._features.vectors(decline_model.SERVICE, [user_id])
        except TarnError as e:
            if not e.is_transient:
                # A wrong request, a token that has run out: no fallback should hide it.
                raise
            return Score(user_id=user_id, risk=PRIOR, fallback=e.code.name, snapshots={})
        snapshots = {v.feature_view: v.snapshot_id for v in vectors.versions}
        if not vectors.found[0]:
            return Score(user_id=user_id, risk=PRIOR, fallback="NOT_FOUND", snapshots=snapshots)
        risk = float(decline_model.scores(self._model, vectors.values)[0])
        return Score(user_id=user_id, risk=risk, fallback="", snapshots=snapshots)
