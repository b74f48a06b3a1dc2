"""Serve a model that learned nothing with MLflow's own scoring server; prints the port.

Run by a Python of its own, because MLflow wants an older pandas than this project: see test_mlflow.py.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import uvicorn
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import ColSpec, Schema


class OverThirty(mlflow.pyfunc.PythonModel):
    """Says 1 where ``age`` is above 30; with ``score``, the age's hundredth too."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def predict(self, context, model_input: pd.DataFrame, params=None):  # noqa: ARG002 - MLflow's signature
        """Return one answer per row."""
        over = (model_input["age"] > 30).astype(int)
        if self.kind == "array":
            return over.to_numpy()
        return pd.DataFrame({"prediction": over, "score": model_input["age"] / 100})


def main(kind: str) -> None:
    """Save the model, load it as MLflow does for serving, and serve it until it is ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        inputs = Schema([ColSpec("double", "age"), ColSpec("string", "text", required=False)])
        mlflow.pyfunc.save_model(
            path, python_model=OverThirty(kind), signature=ModelSignature(inputs), pip_requirements=[]
        )
        os.environ[scoring_server._SERVER_MODEL_PATH] = path
        from mlflow.pyfunc.scoring_server.app import app

        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the test learns it
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
