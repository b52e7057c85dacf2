"""A trial reports the validation losses in its journal, and ends early or when the search stops."""

import threading
from itertools import islice
from pathlib import Path

import pytest

from pipeline.config.tuning import TuningConfig
from pipeline.training.processes.runners import Stopped
from pipeline.tuning.study import SearchStudy
from pipeline.tuning.trial import Pruned, _observer, record_of, trial_text, validation_losses
from tests.helpers.tracked_runs import new_run


def test_validation_losses_are_reported_once_and_end_a_bad_trial(tmp_path: Path) -> None:
    study = SearchStudy(tmp_path / "study.db", TuningConfig(pruner_trials=1), parallel=False)
    (good, _), (bad, settings) = islice(study.next_trials(), 2)
    for epoch in (1, 2, 3):
        study.prune_or_report(good, epoch, -1.0)
    study.finish(good, -1.0)
    run, stop = new_run("trial-2"), threading.Event()
    observe = _observer(study, bad, run, stop)
    observe()
    run.append(60, {"valid/nats_per_step": 3.0, "time/epoch_end_s": 4.0})
    observe()
    with run.journal.open("a") as journal:
        journal.write('{"step": 80, "metr')  # which another process is writing
    observe()
    run.truncate_journal(run.journal_bytes().rfind(b"\n") + 1)
    run.append(80, {"valid/nats_per_step": 5.0, "valid/ema_nats_per_step": 2.0, "time/epoch_end_s": 8.0})
    with pytest.raises(Pruned, match="after epoch 2"):
        observe()
    assert study.study.trials[1].intermediate_values == {1: 3.0, 2: 2.0}
    stop.set()
    with pytest.raises(Stopped):
        observe()
    assert validation_losses(run) == [3.0, 2.0]
    run.set_status("pruned", reason="ended after epoch 2")
    attributes = {"label": "trial-2", "run": run.path.name}
    record = record_of(attributes, settings, run.path.parent)
    assert (record["state"], record["epochs"], record["best_epoch"]) == ("pruned", 2, 2)
    assert "2.0000 nats per step, pruned after epoch 2, 8.0 s" in trial_text(record, 10, best=False)


def test_a_trial_that_was_never_trained_has_its_reason() -> None:
    attributes = {"label": "trial-7", "reason": "these do not fit"}
    record = record_of(attributes, {"model.cell": "gru"}, Path("runs"))
    assert trial_text(record, 9, best=False) == (
        "trial 7 of 9: model.cell=gru: failed (these do not fit), 0 ms"
    )
