"""Addresses of pages of the MLflow UI, for links from a flow run's page."""

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from pipeline.errors import UserError
from pipeline.services.settings import read_settings
from pipeline.tracking.run_folder import RunFolder
from pipeline.tracking.store import redacted_uri, store_uri
from pipeline.tracking.sync_state import load_sent

LOCAL_PAGES = "The command `wavecast ui` opens the MLflow pages of these runs."


def ui_address(configured: str | None) -> str | None:
    """Return the address of the MLflow UI: the tracking server's, else that of the services; else None.

    Args:
        configured: the setting `tracking.uri`.
    """
    uri = store_uri(configured)
    if uri.startswith(("http://", "https://")):
        parts = urlsplit(uri)
        place = quote(parts.netloc.rpartition("@")[2], safe=":[]")  # without a password
        return urlunsplit((parts.scheme, place, quote(parts.path.rstrip("/"), safe="/%"), "", ""))
    try:
        services = read_settings()
    except UserError:  # damaged settings cost a run its link, and no more
        return None
    return services.mlflow_address if services else None


def run_link(address: str, run: Path) -> str:
    """Return the address of a run's page; empty for a run that was not sent."""
    folder = RunFolder(run)
    sent = load_sent(folder, redacted_uri(store_uri(folder.config().tracking.uri)))
    return f"{address}/#/runs/{quote(sent.run_id, safe='')}" if sent.run_id else ""


def model_link(address: str, name: str, version: int) -> str:
    """Return the address of the page of a registered version."""
    return f"{address}/#/models/{quote(name, safe='')}/versions/{version}"
