"""`wavecast ui`: MLflow's user interface."""

from typing import Annotated

from cyclopts import Parameter

EXAMPLES = ["ui", "ui --port 5001"]


def ui(*, port: Annotated[int, Parameter(help="Port on the loopback address.")] = 5000) -> None:
    """Serve MLflow's user interface with all runs and models on this machine, until stopped."""
    from pipeline.common.files import data_dir
    from pipeline.tracking.comparison import send_pending
    from pipeline.tracking.store import serve_ui

    send_pending(data_dir())
    serve_ui(port=port)
