"""The champion of a registered model in the store: its aliases, its pin, and the notes on a version."""

from collections.abc import Mapping, Sequence

from pipeline.errors import UserError
from pipeline.registry.catalogue import DECISION_TAG, PIN_TAG, RegisteredVersion, registered_versions
from pipeline.registry.descriptions import DECISION, with_section
from pipeline.registry.references import CHAMPION, no_such_name
from pipeline.registry.registration import set_alias
from pipeline.tracking.mlflow_client import connect
from pipeline.tracking.store import store_uri, tracking_errors

PREVIOUS = "previous"


def version_with(
    versions: Sequence[RegisteredVersion], name: str, alias: str = CHAMPION
) -> RegisteredVersion | None:
    """Return the version of a registered model that has an alias, None if there is none."""
    return next((found for found in versions if found.name == name and alias in found.aliases), None)


def move_champion(name: str, version: int, uri: str | None = None) -> None:
    """Make a version the champion; the one that was becomes `previous`.

    Args:
        name: of the registered model.
        version: its number.
        uri: the store as configured; None the default one.

    Raises:
        UserError: there is no such version.
        TrackingUnavailable: the store cannot be used.
    """
    held = version_with(registered_versions(store_uri(uri)), name)
    set_alias(name, version, CHAMPION, uri)
    if held is not None and held.version != version:
        set_alias(name, held.version, PREVIOUS, uri)


def pinned_version(name: str, uri: str | None = None) -> str | None:
    """Return the number in the pin of a registered model, None if nothing is pinned."""
    store = store_uri(uri)
    with tracking_errors(store):
        found = connect(store).get_registered_model(name).tags.get(PIN_TAG)
        return str(found) if found else None


def set_pin(name: str, version: int | None, uri: str | None = None) -> None:
    """Pin a version as champion, so that no run replaces it; None lifts the pin."""
    store = store_uri(uri)
    with tracking_errors(store):
        client = connect(store)
        if version is not None:
            client.set_registered_model_tag(name, PIN_TAG, str(version))
        elif client.get_registered_model(name).tags.get(PIN_TAG):
            client.delete_registered_model_tag(name, PIN_TAG)


def note_decision(
    name: str, version: int, description: str, tags: Mapping[str, str], uri: str | None = None
) -> None:
    """Write a decision in the description and the tags of a version, beside its figures."""
    store = store_uri(uri)
    with tracking_errors(store):
        client = connect(store)
        present = client.get_model_version(name, str(version)).description
        client.update_model_version(name, str(version), with_section(present, DECISION, description))
        for key, value in tags.items():
            client.set_model_version_tag(name, str(version), DECISION_TAG + key, value)


def chosen_name(name: str, default: str, uri: str | None = None) -> str:
    """Return the registered model that a user means: ``name``, else the default, else the only one.

    Raises:
        UserError: there is none of that name, or several and none of the default name.
        TrackingUnavailable: the store cannot be used.
    """
    names = list(dict.fromkeys(version.name for version in registered_versions(store_uri(uri))))
    if name in names:
        return name
    if name or not names:
        raise no_such_name(name or default, names)
    if default in names or len(names) == 1:
        return default if default in names else names[0]
    raise UserError(f"several models are registered: {', '.join(names)}; choose one with --name", 2)
