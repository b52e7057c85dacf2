"""What the tests of captured graphs share."""

import pytest

from models import captured
from tests.recorded_graphs import Recorder


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Training on the CPU captures, as it does on a GPU."""
    recorder = Recorder()
    monkeypatch.setattr(captured, "can_capture", lambda _: True)
    monkeypatch.setattr(captured, "record", recorder)
    return recorder
