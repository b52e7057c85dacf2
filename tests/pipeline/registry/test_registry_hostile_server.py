"""Names that a tracking server answers never become paths."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.registry.catalogue import registered_versions, run_folder_name
from pipeline.registry.registry import fetch_model
from tests.helpers.broken_server import Answer, Server, serving, whole

OUTSIDE = ["../../escaped", "/tmp/escaped", "..", ".", "a/../../escaped", "a\\b", "a\0b", ""]


class AnyQuery(dict[str, Any]):
    """Answers by path; what follows the question mark is ignored."""

    def __missing__(self, path: str) -> Any:
        return (
            self[path.partition("?")[0]] if "?" in path else [whole(b"{}", Content_Type="application/json")]
        )


def answers_of(name: str, source: str) -> Callable[[Server], str]:
    """A server of one registered model that is called ``name``."""
    tags = [{"key": "wavecast.run", "value": name}]
    version = {"name": name, "version": "1", "creation_timestamp": 1, "source": source, "tags": tags}

    def set_up(server: Server) -> str:
        server.answers = AnyQuery(server.answers)
        path = "/api/2.0/mlflow/"
        for last, answer in {
            "registered-models/alias": {"model_version": version},
            "model-versions/get-download-uri": {"artifact_uri": source},
            "model-versions/search": {"model_versions": [version]},
            "registered-models/search": {"registered_models": [{"name": name}]},
        }.items():
            server.answer(path + last, as_json(answer))
        return f"http://127.0.0.1:{server.port}"

    return set_up


def as_json(value: object) -> Answer:
    return whole(json.dumps(value).encode(), Content_Type="application/json")


@pytest.mark.parametrize("name", ["../../../../escaped", "/escaped"])
def test_a_model_is_cached_below_the_data_folder_whatever_it_is_called(
    name: str, sound_model: Path, own_data_dir: Path
) -> None:
    place = own_data_dir / "mlflow" / "artifacts" / "model"  # the one folder that a server may name
    shutil.copytree(sound_model, place)
    with serving() as server:
        address = answers_of(name, place.as_uri())(server)
        found = fetch_model("models:/innocent@champion", uri=address)
        (version,) = registered_versions(address)
    assert found.resolve().parent == own_data_dir.resolve() / "models-cache"
    assert version.run_name == ""


def test_a_server_names_no_folder_to_read(sound_model: Path) -> None:
    with serving() as server:
        address = answers_of("innocent", sound_model.as_uri())(server)
        with pytest.raises(UserError, match="a folder of this machine"):
            fetch_model("models:/innocent@champion", uri=address)


@pytest.mark.parametrize("name", OUTSIDE)
def test_the_name_of_a_runs_folder_is_one_name(name: str) -> None:
    assert run_folder_name(name) == ""
