"""`wavecast status`: the services and their runs."""

from pipeline.cli.arguments import Json

EXAMPLES = ["status", "status --json"]


def status(*, json: Json = False) -> None:
    """Show the services, the runs that are running, due or failed, the champion and the disk space."""
    from pipeline.cli.output import emit
    from pipeline.cli.text.services import print_status
    from pipeline.registry.catalogue import registered_versions
    from pipeline.services.status import status as services_status
    from pipeline.tracking.store import store_uri

    found = services_status()
    versions = registered_versions(store_uri())
    found["champions"] = [version.label for version in versions if "champion" in version.aliases]
    emit(found, json, lambda: print_status(found))
