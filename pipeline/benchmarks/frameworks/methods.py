"""The methods that are compared, and whether an interpreter has what they need."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

EXTRA = "pip install 'wavecast[frameworks]'"


@dataclass(frozen=True)
class Method:
    """A way to train.

    Attributes:
        name: shown in tables.
        module: of this package, with a function `train`.
        needs: modules that its interpreter must have.
        install: command that installs them.
        environment: variables of its process.
        changes: settings of the task that differ.
    """

    name: str
    module: str
    needs: tuple[str, ...] = ()
    install: str = EXTRA
    environment: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)


OWN = (
    Method("wavecast", "with_wavecast"),
    Method(
        "wavecast, autoregressive",
        "with_wavecast",
        changes={"covariance": "autoregressive", "components": 8},
    ),
)
FRAMEWORKS = {
    "keras-jax": Method("Keras on JAX", "with_keras", ("keras", "jax"), environment={"KERAS_BACKEND": "jax"}),
    "keras-torch": Method(
        "Keras on PyTorch", "with_keras", ("keras", "torch"), environment={"KERAS_BACKEND": "torch"}
    ),
    "keras-tensorflow": Method(
        "Keras on TensorFlow",
        "with_keras",
        ("keras", "tensorflow"),
        "pip install keras tensorflow",
        {"KERAS_BACKEND": "tensorflow", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
    ),
    "neuralforecast": Method("NeuralForecast", "with_neuralforecast", ("neuralforecast",)),
    "gluonts": Method(
        "GluonTS DeepAR", "with_gluonts", ("gluonts", "lightning"), "pip install 'gluonts[torch]'"
    ),
}
"""By the name that the command line knows."""
OF_THE_EXTRA = tuple(name for name, method in FRAMEWORKS.items() if method.install == EXTRA)


def chosen_methods(named: Sequence[str]) -> list[tuple[Method, str]]:
    """Return the methods of wavecast and of frameworks, each with the interpreter that runs it.

    Args:
        named: names of frameworks, each perhaps followed by ``=`` and the path of an interpreter.

    Raises:
        UserError: a name is unknown, or an interpreter is missing or lacks a framework.
    """
    found = [(method, sys.executable) for method in OWN]
    for each in named:
        name, _, python = each.partition("=")
        if name not in FRAMEWORKS:
            raise UserError(f"--framework {name}: choose from {', '.join(FRAMEWORKS)}", 2)
        found.append((FRAMEWORKS[name], python or sys.executable))
        _require(name, *found[-1])
    return found


def _require(name: str, method: Method, python: str) -> None:
    code = f"import importlib.util as i; print(*[n for n in {method.needs} if i.find_spec(n) is None])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise UserError(f"--framework {name}: {python} cannot be run: {problem}", 2) from None
    if missing := done.stdout.split():
        where = "here" if python == sys.executable else f"for {python}"
        other = f"{method.install}, or name another interpreter: --framework {name}=PATH/TO/python"
        raise UserError(f"--framework {name}: {' and '.join(missing)} not installed {where}; {other}", 2)


def interpreter_environment(method: Method, python: str, folder: Path) -> dict[str, str]:
    """Return the variables of a training's process, for one thread of a CPU.

    Args:
        method: may add variables.
        python: its interpreter. One that is not wavecast's finds this package in ``folder``, and none of the
            packages that are installed beside wavecast.
        folder: of the task; a link to this package is added.
    """
    variables = {
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        **method.environment,
    }
    if python != sys.executable:
        link = folder / "pipeline"
        if not link.exists():
            link.symlink_to(Path(__file__).parents[2])
        variables["PYTHONPATH"] = str(folder)
    return variables
