"""What the tests of captured graphs share."""

import pytest

from models.cuda_graphs import layer as captured
from tests.helpers.networks.recorded_graphs import Recorder, recording


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Training on the CPU captures, as it does on a GPU."""
    return recording(captured, monkeypatch)
