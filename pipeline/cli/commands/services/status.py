"""`wavecast status`: the services and their runs."""

from pipeline.cli.arguments import Json
from pipeline.errors import UserError

EXAMPLES = ["status", "status --json"]


def status(*, json: Json = False) -> None:
    """Show the services, the runs that are running, due or failed, the champion and the disk space.

    A store of models that cannot be read is reported, and the exit code is 1.
    """
    from pipeline.cli.output import emit
    from pipeline.cli.text.services import print_status
    from pipeline.registry.catalogue import registered_versions
    from pipeline.services.status import status as services_status
    from pipeline.tracking.store import store_uri

    found = services_status()
    problem: UserError | None = None
    try:
        versions = registered_versions(store_uri())
        found["champions"] = [version.label for version in versions if "champion" in version.aliases]
    except UserError as reason:
        found["champions"], problem = None, reason
    emit(found, json, lambda: print_status(found))
    if problem is not None:
        raise problem
