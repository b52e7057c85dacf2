"""The preparation as a flow whose recordings are converted by a Dask cluster."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config
from pipeline.data.preparation import prepare
from tests.helpers.clusters.dask_cluster import local_cluster
from tests.helpers.sounds import write_noisy_tones

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_a_flow_with_dask_workers_makes_the_same_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.prepare import prepare_corpus

    corpus = write_noisy_tones(tmp_path / "tones", count=40, seconds=2.0, sample_rate=8000)
    settings = [f"corpus.inputs=[{corpus}]", "input.sample_rate=8000", "corpus.group=recording"]
    with local_cluster() as cluster:
        workers = f"preparation.workers=dask://{cluster.address}"
        by_dask = prepare_corpus(load_config(None, [*settings, workers]))
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path / "alone"))
    alone = prepare(load_config(None, [*settings, "preparation.workers=1"]))
    assert by_dask.parent.name == alone.parent.name
    rows = [sorted(path.parents[1].glob("rows*.bin")) for path in (by_dask, alone)]
    assert rows[0]
    assert [path.read_bytes() for path in rows[0]] == [path.read_bytes() for path in rows[1]]
