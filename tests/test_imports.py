"""What a module may not drag in: the import contracts of pyproject.toml, as they hold at run time."""

import subprocess
import sys

import pytest


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("models.predictor", {"mlflow", "prefect", "librosa", "torchaudio", "soundfile", "pydantic", "yaml"}),
        (
            "pipeline.training.loop",
            {"mlflow", "prefect", "librosa", "torchaudio", "soundfile", "soxr", "matplotlib"},
        ),
        ("pipeline.generation.audio_files", {"mlflow", "prefect", "librosa", "torchaudio", "matplotlib"}),
        ("pipeline.tracking.sync", {"mlflow", "prefect", "torch"}),
        ("pipeline.benchmarks.frameworks.worker", {"torch", "numba", "pydantic", "yaml", "rich", "psutil"}),
        ("wavecast", {"mlflow", "prefect", "torch", "numpy"}),
        ("pipeline.cli.main", {"mlflow", "prefect", "torch", "numpy"}),
    ],
)
def test_importing_stays_light(module: str, forbidden: set[str]) -> None:
    assert not loaded_by(module) & forbidden
