"""Recordings, spectrograms or notes in a request, checked against limits before anything is computed.

A request holds one array for all of them, or a list of sound files in base64.
"""

import base64
import binascii
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.audio.decode import MAX_FLOAT_PEAK, open_decoding
from pipeline.audio.pcm import Samples, to_int16
from pipeline.errors import RecordingRejected, UserError
from pipeline.model.trained_model import TrainedModel

MOST_RECORDINGS = 64
"""Most recordings in a request."""
MOST_CONTEXT_S = 300.0
"""Longest recording in seconds."""
MOST_TOTAL_S = 1_200.0
"""Longest duration of all recordings in a request, in seconds."""
MOST_FILE_BYTES = 64 << 20
"""Longest sound file in a request, decoded from base64."""
KINDS = {b"RIFF": "WAV", b"RF64": "WAV", b"fLaC": "FLAC"}
"""First bytes of the sound files that are accepted."""
LEAST_BYTES = 12
TOO_LONG = f"longer than {MOST_CONTEXT_S:g} s: send its end"

Rows = NDArray[Any]


def inputs_of(model: TrainedModel, sent: Any) -> list[Samples] | list[Rows]:
    """Return the recordings (N,) int16 of a request, or the rows (T, D) of other kinds of input.

    Args:
        model: the model that continues them.
        sent: samples (B, N) in [-1, 1] at the model's rate, rows (B, T, D), or texts in base64.

    Returns:
        A recording or an array of rows for each in the request.

    Raises:
        UserError: the request does not fit the model, or is beyond a limit.
    """
    items = _items(sent)
    if not 1 <= len(items) <= MOST_RECORDINGS:
        raise UserError(f"{len(items)} recordings in a request: send 1 to {MOST_RECORDINGS}")
    if all(isinstance(item, str) for item in items):
        return _read_all(model, _decoded, items)
    try:
        with np.errstate(over="ignore"):  # infinity is rejected below
            arrays = [np.asarray(item, np.float32) for item in items]
    except (TypeError, ValueError, OverflowError):
        forms = "an array of numbers, or a list of WAV or FLAC files in base64"
        raise UserError(f"the input is neither numbers nor texts alone: send {forms}") from None
    return _read_all(model, _samples if model.representation.rows_are_samples else _rows, arrays)


def _items(sent: Any) -> Sequence[Any]:
    """Return what was sent for each recording; a table has one column of texts, or one column a sample."""
    if hasattr(sent, "to_numpy"):  # a table of pandas, as MLflow reads CSV, Parquet and `dataframe_split`
        sent = sent.to_numpy()
        sent = sent[:, 0] if sent.ndim == 2 and sent.dtype == object and sent.shape[1] == 1 else sent
    if isinstance(sent, np.ndarray):
        if sent.ndim == 1 and sent.dtype.kind in "iuf":
            raise UserError(f"an array of shape {sent.shape}: send one row for each recording, (B, N)")
        sent = [sent] if sent.ndim == 0 else sent
        return [str(item) if isinstance(item, np.str_) else item for item in sent]
    if isinstance(sent, str):
        return [sent]
    if not isinstance(sent, list | tuple):
        raise UserError(f"the input is of type {type(sent).__name__}: send an array, or a list of texts")
    return sent


def _read_all(model: TrainedModel, read: Any, items: Sequence[Any]) -> list[Any]:
    """Return what ``read`` makes of each item; the position of one is put before the reason of its error."""
    found, total_s = [], 0.0
    for index, item in enumerate(items):
        try:
            found.append(read(model, item))
        except UserError as problem:
            raise UserError(f"recording {index}: {problem}") from None
        is_sound = found[-1].ndim == 1
        total_s += len(found[-1]) / (model.audio.sample_rate if is_sound else model.row_rate_hz)
        if total_s > MOST_TOTAL_S:
            raise UserError(f"more than {MOST_TOTAL_S:g} s of recordings in a request: send several requests")
    return found


def _samples(model: TrainedModel, array: NDArray[np.float32]) -> Samples:
    if array.ndim != 1 or not array.size:
        raise UserError(f"an array of shape {array.shape}: samples are numbers (B, N)")
    rate = model.audio.sample_rate
    _check_length(array.size / rate)
    _check_finite(array)
    if (peak := float(np.abs(array).max())) > MAX_FLOAT_PEAK:
        raise UserError(f"samples up to {peak:.4g}: divide them by full scale, so that they are in [-1, 1]")
    return to_int16(array)


def _rows(model: TrainedModel, array: NDArray[np.float32]) -> Rows:
    representation = model.representation
    if array.ndim != 2 or array.shape[1] != representation.row_width:
        wanted = f"(B, T, {representation.row_width})"
        raise UserError(f"an array of shape {array.shape}: this model continues rows {wanted}")
    _check_length(len(array) / model.row_rate_hz)
    _check_finite(array)
    if representation.notes is not None and not np.isin(array, (0, 1)).all():
        raise UserError("values other than 0 and 1: notes are off or on")
    return array


def _decoded(model: TrainedModel, text: str) -> Samples:
    rate = model.audio.sample_rate
    if len(text) > MOST_FILE_BYTES * 4 // 3 + 4:
        raise UserError(f"a sound file of more than {MOST_FILE_BYTES >> 20} MiB")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError("not base64 (RFC 4648, without line breaks)") from None
    if data[:4] not in KINDS or len(data) < LEAST_BYTES:
        raise UserError("neither a WAV nor a FLAC file in base64")
    with tempfile.NamedTemporaryFile(prefix="wavecast-request-") as file:
        file.write(data)
        file.flush()
        return _read(Path(file.name), rate)


def _read(path: Path, rate: int) -> Samples:
    """Return a sound file (N,) at ``rate``; decoding ends at the limit, however small the file is."""
    with open_decoding(path) as recording:
        info = recording.info
        if info.frames is not None:
            _check_length(info.frames / info.sample_rate)
        try:
            blocks = list(recording.blocks(rate, int(MOST_CONTEXT_S * rate)))
        except RecordingRejected as rejection:
            raise UserError(TOO_LONG) if rejection.code == "too-long" else rejection from None
        return np.concatenate(blocks)


def _check_length(seconds: float) -> None:
    if seconds > MOST_CONTEXT_S:
        raise UserError(TOO_LONG)


def _check_finite(array: NDArray[np.float32]) -> None:
    if not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise UserError(f"{bad} of {array.size} values are not finite (NaN or infinite)")
