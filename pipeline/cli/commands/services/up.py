"""`wavecast up`: start the servers of scheduled runs."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.config_arguments import Settings

EXAMPLES = [
    "up recordings",
    'up recordings --config nightly --cron "30 1 * * *" --timezone Europe/Berlin',
    "up --unit > ~/.config/systemd/user/wavecast.service",
]


def up(
    recordings: Annotated[
        str,
        Parameter(
            help="Folder, address or table of the recordings (default: `recordings` in the data folder)."
        ),
    ] = "",
    /,
    *,
    config: Annotated[
        str, Parameter(name=["--config", "-c"], help="Configuration of the scheduled runs.")
    ] = "nightly",
    settings: Settings = (),
    cron: Annotated[str, Parameter(help="When they start, in the cron format.")] = "0 2 * * *",
    timezone: Annotated[str, Parameter(help="Time zone of --cron, such as Europe/Berlin.")] = "UTC",
    mlflow_port: Annotated[int, Parameter(help="Port of MLflow on the loopback address.")] = 5000,
    prefect_port: Annotated[int, Parameter(help="Port of Prefect on the loopback address.")] = 4200,
    database: Annotated[
        str | None,
        Parameter(help="PostgreSQL database, as postgresql://USER:PASSWORD@HOST/DATABASE (default: files)."),
    ] = None,
    artifacts: Annotated[
        str | None, Parameter(help="Address of models, sounds and plots, such as s3://BUCKET/FOLDER.")
    ] = None,
    inbox: Annotated[
        str,
        Parameter(help="Folder whose complete files are moved to the recordings (default: `incoming`)."),
    ] = "",
    look_seconds: Annotated[float, Parameter(help="Seconds between two looks at the inbox.")] = 20.0,
    new_minutes: Annotated[
        float, Parameter(help="Minutes of new recordings that start a run at once.")
    ] = 1.0,
    least_gain_db: Annotated[
        float,
        Parameter(
            help="Smallest prediction gain of a recording; one below is rejected as noise. 0 accepts all."
        ),
    ] = 1.0,
    unit: Annotated[
        bool, Parameter(help="Print a systemd user unit, and start nothing.", negative=())
    ] = False,
    foreground: Annotated[
        bool, Parameter(help="Stay in the foreground, as in a container.", negative=())
    ] = False,
    install_unit: Annotated[
        bool, Parameter(help="Start the services with the machine, by a systemd user unit.", negative=())
    ] = False,
) -> None:
    """Start MLflow, Prefect and a worker in the background, and schedule runs on your recordings.

    The services listen on the loopback address only. A second call finds those that run. `wavecast status`
    shows them, and `wavecast down` stops them.
    """
    from pipeline.cli.text.services import print_up
    from pipeline.services.checks import check_settings, inbox_of, recordings_of
    from pipeline.services.control import configure, running, start, wait_until_ready
    from pipeline.services.settings import ServiceSettings, read_settings
    from pipeline.services.supervisor import supervise
    from pipeline.services.unit import install_unit as install
    from pipeline.services.unit import unit_text

    if unit:
        print(unit_text(), end="")
        return
    folder = recordings_of(recordings)
    wanted = ServiceSettings(
        recordings=folder,
        config=str(Path(config).absolute()) if Path(config).is_file() else config,
        overrides=settings,
        cron=cron,
        timezone=timezone,
        mlflow_port=mlflow_port,
        prefect_port=prefect_port,
        database=database,
        artifacts=artifacts,
        inbox=inbox_of(inbox, folder),
        look_seconds=look_seconds,
        new_minutes=new_minutes,
        least_gain_db=least_gain_db,
    )
    check_settings(wanted)
    if foreground:
        configure(wanted)
        supervise()
        return
    if running():
        wait_until_ready(lambda name: None, running)
        print_up(read_settings() or wanted, wanted, already=True)
    else:
        start(wanted, lambda name: print(f"  {name} is ready", flush=True))
        print_up(wanted, wanted, already=False)
    if install_unit:
        for command in install():
            print(f"run this as well: {command}")
