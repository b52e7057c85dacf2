"""A study draws by seed and number, goes on after any interruption, and repeats nothing."""

import sqlite3
from itertools import islice
from pathlib import Path

import pytest

from pipeline.config.tuning import TuningConfig
from pipeline.errors import UserError
from pipeline.tuning.study import LABEL, SearchStudy, storage_in_one_line

SPACE = {
    "train.learning_rate": {"kind": "log-uniform", "low": 1e-4, "high": 1e-2},
    "model.hidden_size": {"kind": "integer", "low": 8, "high": 64, "log": True},
}


def config(**settings: object) -> TuningConfig:
    return TuningConfig.model_validate({"trials": 4, "space": SPACE, "pruner_trials": 1, **settings})


def opened(folder: Path, variant: str = "", **settings: object) -> SearchStudy:
    return SearchStudy(folder / "study.db", config(**settings), parallel=False, variant=variant)


def train_all(study: SearchStudy) -> dict[str, dict[str, object]]:
    """End all trials that are to be trained; return their settings by label."""
    trained = {}
    for number, (trial, settings) in enumerate(study.next_trials()):
        trained[trial.user_attrs[LABEL]] = dict(settings)
        study.finish(trial, float(number))
    return trained


def test_a_search_that_was_interrupted_at_any_point_has_the_same_trials(tmp_path: Path) -> None:
    whole = train_all(opened(tmp_path / "whole"))
    assert list(whole) == ["trial-1", "trial-2", "trial-3", "trial-4"]
    assert all(1e-4 <= each["train.learning_rate"] <= 1e-2 for each in whole.values())  # type: ignore[operator]
    first = opened(tmp_path / "broken").next_trials()
    begun = [(trial.user_attrs[LABEL], dict(settings)) for trial, settings in (next(first), next(first))]
    opened(tmp_path / "broken").study.ask()  # killed before its settings were drawn
    assert begun == list(whole.items())[:2]
    study = opened(tmp_path / "broken")
    assert train_all(study) == whole, "what was begun is trained again, with the same settings"
    assert train_all(study) == {}
    further = opened(tmp_path / "broken", trials=6)
    assert list(train_all(further)) == ["trial-5", "trial-6"]
    assert train_all(opened(tmp_path / "other", seed=1)) != whole


def test_trials_name_their_variant_and_those_of_earlier_releases_keep_their_names(tmp_path: Path) -> None:
    earlier = opened(tmp_path, trials=2).next_trials()
    earlier_finished, _ = next(earlier)
    opened(tmp_path).finish(earlier_finished, 1.0)
    interrupted, settings = next(earlier)
    assert interrupted.user_attrs[LABEL] == "trial-2"
    trained = train_all(opened(tmp_path, variant="gru", trials=3))
    assert list(trained) == ["trial-2", "gru-trial-3"]
    assert trained["trial-2"] == settings


def test_a_lost_trial_is_taken_up_again_and_a_diverged_one_is_not(tmp_path: Path) -> None:
    study = opened(tmp_path, trials=2)
    (lost, settings), (diverged, _) = study.next_trials()
    study.fail(lost, lost=True)
    study.fail(diverged, lost=False)
    again = opened(tmp_path, trials=2)
    assert train_all(again) == {"trial-1": settings}
    assert [trial.user_attrs[LABEL] for trial in again.trials()] == ["trial-2", "trial-1"]
    assert train_all(again) == {}


def test_settings_are_not_tried_twice_and_an_exhausted_space_ends_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"model.cell": {"kind": "choices", "values": ["gru", "lstm"]}}
    trained = train_all(opened(tmp_path, space=space, trials=5))
    assert {str(settings["model.cell"]) for settings in trained.values()} == {"gru", "lstm"}
    assert list(trained) == ["trial-1", "trial-2"]
    assert "no further settings: the search ends with 2 trials" in capsys.readouterr().err


def test_a_trial_above_the_median_is_pruned_after_its_first_epochs(tmp_path: Path) -> None:
    study = opened(tmp_path, pruner_epochs=1)
    (good, _), (bad, _) = islice(study.next_trials(), 2)
    assert [study.prune_or_report(good, epoch, -float(epoch)) for epoch in (1, 2)] == [False, False]
    study.finish(good, -2.0)
    assert [study.prune_or_report(bad, epoch, 5.0) for epoch in (1, 2)] == [False, True]
    assert study.prune_or_report(bad, 2, 5.0), "a loss that was reported before is not reported again"
    study.end_early(bad)
    assert [trial.state.name for trial in study.trials()] == ["COMPLETE", "PRUNED"]


def test_a_damaged_study_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database" * 500)
    with pytest.raises(UserError, match="damaged study") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_parzen_estimator_draws_from_the_space(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    tpe = config(sampler="tpe", trials=12)
    drawn = train_all(SearchStudy(tmp_path / "study.db", tpe, parallel=True))
    assert not recwarn.list
    assert len(drawn) == 12
    assert all(8 <= settings["model.hidden_size"] <= 64 for settings in drawn.values())  # type: ignore[operator]


def test_a_study_that_cannot_be_used_any_more_is_one_line(tmp_path: Path) -> None:
    study, database = opened(tmp_path), tmp_path / "study.db"
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE trials")
    with (
        pytest.raises(UserError, match=r"study\.db: the study cannot be used \(.*no such table.*\); repeat"),
        storage_in_one_line(database),
    ):
        next(study.next_trials())
