"""Failures of a server: each is one sentence that names the address and the cause."""

import sys
from pathlib import Path

import boto3
import fsspec
import pytest

from pipeline.common.places import exists, local_copy, place_of, stamp
from pipeline.data.corpora.corpus import find_corpus
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.cli import caller
from tests.helpers.recordings import write_noise
from tests.helpers.s3 import BUCKET, Failing, forget_connections, s3_server
