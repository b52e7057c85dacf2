"""Functions that load a trained model and apply it to one recording.

A recording is a path, or samples (N,) or (N, channels), int16 or floats of full scale 1, with their rate.
To use one model several times, call `wavecast.load_model` once and the methods of `wavecast.Model`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from pipeline.api.model import Model, Recording, load_model
from pipeline.generation.continuation import END_TO_END, Continuation, JoinOptions
from pipeline.generation.options import DEFAULT_NOISE_SCALE, DEFAULT_SECONDS, DEFAULT_TEMPERATURE, Mode

if TYPE_CHECKING:
    from pipeline.audio.decode import Samples
    from pipeline.compression.codec import Compressed
    from pipeline.compression.pcm_files import IntegerSound
    from pipeline.scoring.windows import RecordingScore

AnyModel = Model | str | Path


def predict(
    recording: Recording,
    sample_rate: int | None = None,
    seconds: float = DEFAULT_SECONDS,
    *,
    model: AnyModel = "",
    takes: int = 1,
    seed: int = 0,
    temperature: float = DEFAULT_TEMPERATURE,
    noise_scale: float = DEFAULT_NOISE_SCALE,
    mode: Mode = "sample",
    join: JoinOptions = END_TO_END,
    kind: Mode | None = None,
) -> Continuation:
    """Continue a recording.

    Args:
        recording: a path, or samples (N,) or (N, channels).
        sample_rate: of the samples, in Hz; None for a path.
        seconds: length of the continuation.
        model: a `Model`, its folder, `runs:/ID/model` or `models:/NAME@ALIAS`; the champion when empty.
        takes: how many continuations are drawn.
        seed: of the random numbers; the same seed gives the same continuation.
        temperature: of the choice of component, see `pipeline.generation.options.SamplingOptions`.
        noise_scale: factor of the standard deviation within a component.
        mode: `sample` draws each value, `mean` takes the mixture's mean, `likely` the mean of the most likely
            component.
        join: how the recording and its continuation are joined.
        kind: an earlier name of ``mode``.

    Returns:
        The recording, mono int16 at the model's rate, and its continuations (takes, M).

    Raises:
        UserError: the recording or the model cannot be used.
    """
    sampling: dict[str, Any] = {
        "takes": takes,
        "seed": seed,
        "temperature": temperature,
        "noise_scale": noise_scale,
    }
    return _loaded(model).predict(recording, sample_rate, seconds, mode=kind or mode, join=join, **sampling)


def generate(
    seconds: float = DEFAULT_SECONDS,
    *,
    model: AnyModel = "",
    takes: int = 1,
    seed: int = 0,
    temperature: float = DEFAULT_TEMPERATURE,
    noise_scale: float = DEFAULT_NOISE_SCALE,
) -> Continuation:
    """Generate audio without a recording.

    Args:
        seconds: length of the audio.
        model, takes, seed, temperature, noise_scale: see `predict`.

    Returns:
        A continuation of an empty recording: its `added` (takes, M) is what was generated.

    Raises:
        UserError: the model cannot be used, or an argument is out of its range.
    """
    sampling: dict[str, Any] = {
        "takes": takes,
        "seed": seed,
        "temperature": temperature,
        "noise_scale": noise_scale,
    }
    return _loaded(model).generate(seconds, **sampling)


def score(
    recording: Recording, sample_rate: int | None = None, window_s: float = 0.1, *, model: AnyModel = ""
) -> "RecordingScore":
    """Measure the negative log-likelihood of a recording, as a whole and over time.

    Args:
        recording: a path, or samples (N,) or (N, channels).
        sample_rate: of the samples, in Hz; None for a path.
        window_s: length of a window, in seconds.
        model: see `predict`.

    Returns:
        Nats per step and, for a model of samples, bits per sample.

    Raises:
        UserError: the recording or the model cannot be used.
    """
    return _loaded(model).score(recording, sample_rate, window_s)


def conceal(
    recording: Recording,
    gaps: ArrayLike,
    sample_rate: int | None = None,
    *,
    model: AnyModel | None = None,
    seed: int = 0,
) -> "Samples":
    """Fill gaps in a recording.

    Args:
        recording: a path, or samples (N,) or (N, channels).
        gaps: (G, 2), start and end of each gap in seconds.
        sample_rate: of the samples, in Hz; None for a path.
        model: see `predict`; None fills by linear prediction and repetition alone.
        seed: of the model's draws.

    Returns:
        (N,) int16, mono, at the model's rate; without a model at the recording's own.

    Raises:
        UserError: the recording, the model or the gaps cannot be used.

    Example:
        A gap of 20 ms in a sine is filled to within 2 % of its amplitude:

        >>> import numpy as np
        >>> sine = np.sin(2 * np.pi * 200 * np.arange(8000) / 8000) / 2
        >>> lossy = sine.copy()
        >>> lossy[4000:4160] = 0
        >>> filled = conceal(lossy, [[0.5, 0.52]], 8000)
        >>> bool(np.abs(filled / 32768 - sine).max() < 0.01)
        True
    """
    import numpy as np

    from pipeline.api.model import mono_samples
    from pipeline.concealment.fill import conceal as fill
    from pipeline.concealment.gaps import merged
    from pipeline.concealment.methods import filler
    from pipeline.errors import UserError

    chosen = None if model is None else _loaded(model)
    samples, rate = mono_samples(recording, sample_rate, chosen.sample_rate if chosen else None)
    places = np.asarray(gaps, np.float64).reshape(-1, 2)
    if not np.isfinite(places).all() or (places[:, 1] < places[:, 0]).any():
        raise UserError("gaps must be pairs of a start and a later end, in seconds", 2)
    how = filler("model" if chosen else "blend", chosen.trained if chosen else None, seed)
    return fill(samples, merged(np.rint(places * rate), len(samples)), rate, how)


def compress(
    recording: str | Path,
    output: str | Path,
    *,
    model: AnyModel = "",
    fast: bool = False,
    overwrite: bool = False,
) -> "Compressed":
    """Compress a sound file of integers without loss, by the probabilities of a model and adaptive experts.

    Args:
        recording: WAV, FLAC, AIFF or another file of 8- to 32-bit integers, with any channels.
        output: the file to write, as `talk.wcz`.
        model: a model's folder or name, see `predict`.
        fast: use the adaptive experts alone, without a model.
        overwrite: replace a file that exists.

    Returns:
        The sizes before and after, in bytes.

    Raises:
        UserError: the file exists, or the model is not one of samples.
        RecordingRejected: the recording is damaged, or holds no integers.
    """
    from pipeline.common.files import check_overwrite
    from pipeline.compression.codec import CodingModel, compress_sound

    check_overwrite(Path(output), overwrite)
    coding = None if fast else CodingModel.load(*_folder(model))
    return compress_sound(coding, Path(recording), Path(output))


def decompress(
    compressed: str | Path, output: str | Path, *, model: AnyModel = "", overwrite: bool = False
) -> "IntegerSound":
    """Restore a recording that `compress` wrote, bit for bit, by the model that compressed it.

    Args:
        compressed: the file that `compress` wrote.
        output: sound file to write: wav, flac, aiff or w64.
        model: the model that compressed it, if one did.
        overwrite: replace a file that exists.

    Returns:
        What was restored: its rate in Hz, channels, bits of a sample, frames.

    Raises:
        UserError: the file exists, or its format is unknown.
        RecordingRejected: the file is damaged, or was compressed by another model.
    """
    from pipeline.common.files import check_overwrite
    from pipeline.compression.codec import CodingModel, decompress_sound, needs_model
    from pipeline.compression.pcm_files import check_format

    check_overwrite(Path(output), overwrite)
    check_format(Path(output))
    coding = CodingModel.load(*_folder(model)) if needs_model(Path(compressed)) else None
    return decompress_sound(coding, Path(compressed), Path(output))


def _loaded(model: AnyModel) -> Model:
    return model if isinstance(model, Model) else load_model(model)


def _folder(model: AnyModel) -> tuple[Path, str]:
    """Return the folder of a model, and its name in messages."""
    from pipeline.errors import UserError
    from pipeline.registry.registry import fetch_model

    if isinstance(model, Model):
        if model.folder is None:
            raise UserError("this model has no folder; save it and load it from there", 2)
        return model.folder, model.folder.name
    folder = fetch_model(str(model))
    return folder, str(model) or folder.name
