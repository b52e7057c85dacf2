"""`wavecast down`: stop the servers of scheduled runs."""

EXAMPLES = ["down"]


def down() -> None:
    """Stop the services that `wavecast up` has started; a training that runs ends at its last checkpoint."""
    from pipeline.services.control import stop

    print("The services are stopped." if stop() else "No services are running.")
