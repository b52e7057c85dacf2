"""`wavecast down`: stop the servers of scheduled runs."""

EXAMPLES = ["down"]


def down() -> None:
    """Stop the services that were started; a training that runs is continued by the next one."""
    from pipeline.services.control import stop

    print("The services are stopped." if stop() else "No services are running.")
