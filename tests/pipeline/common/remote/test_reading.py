"""Failures of a server: each is one sentence that names the address and the cause."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from pipeline.common.places import exists, local_copy, place_of
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.servers.s3 import BUCKET, Failing, forget_connections, s3_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    monkeypatch.setattr("pipeline.common.remote.reading.FIRST_WAIT_S", 0.01)
    with s3_server(monkeypatch) as application:
        for name in ("x.wav", "folder/y.wav"):
            boto3.client("s3").put_object(Bucket=BUCKET, Key=name, Body=b"RIFF")
        yield application


def fetch(address: str) -> None:
    with local_copy(place_of(address)):
        pass


@pytest.mark.slow
def test_a_closed_connection_is_tried_again_and_then_rejects_the_file(server: Failing) -> None:
    server.resets = "x.wav"
    with pytest.raises(RecordingRejected, match="could not be fetched in 5 attempts") as problem:
        fetch(f"s3://{BUCKET}/x.wav")
    assert problem.value.code == "not-fetched"
    fetch(f"s3://{BUCKET}/folder/y.wav")


@pytest.mark.slow
def test_denied_access_names_the_place(server: Failing) -> None:
    server.denied = "x.wav"
    with pytest.raises(RecordingRejected, match="access is denied") as problem:
        fetch(f"s3://{BUCKET}/x.wav")
    assert problem.value.code == "not-fetched"
    with pytest.raises(UserError, match=f"s3://{BUCKET}/x.wav: .*access is denied"):
        exists(place_of(f"s3://{BUCKET}/x.wav"))


@pytest.mark.slow
def test_a_missing_bucket_and_missing_credentials(
    server: Failing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RecordingRejected, match="no such bucket"):
        fetch("s3://absent/x.wav")
    with pytest.raises(UserError, match=re.escape("s3://absent/x.wav: there is no such bucket")):
        exists(place_of("s3://absent/x.wav"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    forget_connections()
    with pytest.raises(UserError, match=f"s3://{BUCKET}/x.wav: no credentials for s3://"):
        exists(place_of(f"s3://{BUCKET}/x.wav"))


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(
        UserError, match=r"gs://bucket/x.wav: a package that reads gs:// is missing: pip install"
    ):
        place_of("gs://bucket/x.wav")
