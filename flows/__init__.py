"""Prefect flows, thin over the functions of `pipeline`."""
