"""Whatever a user calls a model is found; what is misspelt is answered with what is near."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.registry.references import run_folder
from pipeline.registry.registration import register, set_alias
from pipeline.registry.registry import fetch_model, find_model, version_of
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import store_uri
from tests.helpers.tracked_runs import add_model, mirrored, new_run

pytestmark = pytest.mark.usefixtures("local_store")


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_registered_model_is_found_by_all_of_its_names(run: RunFolder) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "quick")
    names = ["1", "v1", "quick", "wavecast", "wavecast/1", "wavecast@quick", "gru"]
    names += [run.path.name, str(run.path), str(run.model), mirrored(run).info.run_id, ""]
    for name in names:
        assert weights(fetch_model(name)) == weights(run.model), name
    assert find_model("").label == f"wavecast/1 (quick, run {run.path.name})"
    for name in ("1", "quick", "wavecast/1", run.path.name, str(run.path)):
        assert version_of(name) == ("wavecast", 1)


def test_without_a_name_the_champion_is_used_then_the_newest_then_a_run_alone(run: RunFolder) -> None:
    add_model(run)
    assert find_model().label == f"run {run.path.name} (not registered)"
    assert find_model("gru").folder == run.model
    register(run, "wavecast")
    second = new_run("second")
    add_model(second)
    register(second, "wavecast")
    assert find_model().label.startswith("wavecast/2 ")
    set_alias("wavecast", 1, "champion")
    assert find_model().label.startswith("wavecast/1 (champion")


def test_the_default_is_the_champion_of_the_default_name_or_else_the_newest(run: RunFolder) -> None:
    """After the demo and a run of one's own, commands use the model of the latter, and name the other."""
    add_model(run)
    set_alias("wavecast-demo", register(run, "wavecast-demo"), "champion")
    assert find_model().label.startswith("wavecast-demo/1 (champion")
    assert find_model().others == ()
    second = new_run("second")
    add_model(second)
    register(second, "wavecast")
    assert find_model().label.startswith("wavecast-demo/1 (champion")
    set_alias("wavecast-music", register(second, "wavecast-music"), "champion")
    found = find_model()
    assert found.label.startswith("wavecast-music/1 (champion")
    assert found.others == ("wavecast-demo@champion",)
    assert find_model("wavecast-music@champion").label.startswith("wavecast-music/1")
    set_alias("wavecast", 1, "champion")
    found = find_model()
    assert found.label.startswith("wavecast/1 (champion")
    assert found.others == ("wavecast-demo@champion", "wavecast-music@champion")
    assert find_model("wavecast").others == ()


def test_a_number_means_the_only_registered_model_whatever_its_name(run: RunFolder) -> None:
    add_model(run)
    register(run, "wavecast-demo")
    assert version_of("1") == ("wavecast-demo", 1)
    with pytest.raises(UserError, match="7: no such model; wavecast-demo has version 1"):
        version_of("7")


def test_a_renamed_model_and_one_of_a_deleted_run_are_still_found(run: RunFolder) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "champion")
    client = connect(store_uri())
    client.rename_registered_model("wavecast", "speech")
    assert find_model().label.startswith("speech/1 (champion")
    assert weights(fetch_model("speech")) == weights(run.model)
    with pytest.raises(UserError, match="no model is named 'wavecast'; there are: speech"):
        fetch_model("models:/wavecast@champion")
    client.delete_experiment(mirrored(run).info.experiment_id)
    assert weights(fetch_model()) == weights(run.model)


@pytest.mark.thinned(5)
@pytest.mark.parametrize(
    ("reference", "printed"),
    [
        ("wavecsat", "no such model; did you mean 'wavecast'?"),
        ("quikc", "no such model; did you mean 'quick'?"),
        ("9", "no such model; wavecast has version 1"),
        ("models:/wavecast/9", "no such model; wavecast has version 1"),
        ("models:/wavecast@quikc", "has no alias 'quikc'; did you mean 'quick'?"),
        ("models:/wavecsat@quick", "no model is named 'wavecsat'; did you mean 'wavecast'?"),
        ("first", "no such model; did you mean"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_near_ones(run: RunFolder, reference: str, printed: str) -> None:
    add_model(run)
    set_alias("wavecast", register(run, "wavecast"), "quick")
    with pytest.raises(UserError) as caught:
        fetch_model(reference if reference != "first" else run.path.name[:-1])
    assert printed in str(caught.value)
    assert "trained yet" not in str(caught.value)
    assert "away" not in str(caught.value)


def test_the_error_names_what_cannot_be_promoted(run: RunFolder) -> None:
    with pytest.raises(UserError, match="no model has been trained yet"):
        version_of("1")
    with pytest.raises(UserError, match="none is registered yet"):
        set_alias("wavecast", 1, "champion")
    add_model(run)
    with pytest.raises(UserError, match=f"wavecast models register {run.path.name}"):
        version_of(run.path.name)


def test_runs_are_found_by_folder_name_and_variant(run: RunFolder) -> None:
    with pytest.raises(UserError, match="has no model yet"):
        fetch_model(run.path.name)
    add_model(run)
    assert run_folder(str(run.path)) == run_folder(run.path.name) == run_folder("gru") == run.path
    with pytest.raises(UserError, match=r"no such run; did you mean"):
        run_folder(run.path.name[:-1])
