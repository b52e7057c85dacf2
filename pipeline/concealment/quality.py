"""Objective quality of concealed sound: SNR, log-spectral distance, intelligibility and speech quality.

ESTOI is the extended short-time objective intelligibility of Jensen and Taal (2016). PESQ is the perceptual
evaluation of speech quality of ITU-T P.862 and, for wide bands, P.862.2. Both are computed by their packages.
"""

import warnings

import numpy as np
import numpy.typing as npt

from pipeline.audio.pcm import resample, to_float
from pipeline.features.short_time import frames_of, short_time_magnitudes

Sound = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]

FRAME_S = 0.032
HOP_S = 0.008
FLOOR_DB = -80.0
"""Lowest level of a spectrum, relative to a full-scale sine; without it, distances could be infinite."""

WIDE_BAND_HZ, NARROW_BAND_HZ = 16_000, 8_000
NO_PESQ = "PESQ is left out: its package is not installed (extra `pesq`; building it needs a C compiler)."


def snr_db(reference: Sound, estimate: Sound, where: Mask) -> float | None:
    """Return the signal-to-noise ratio in dB over some samples; an estimate of zeros has 0 dB.

    Args:
        reference, estimate: samples (N,) of equal scale.
        where: mask (N,) of the samples that count.

    Returns:
        The ratio; None where the reference is silent, infinite where both sounds are equal.

    Example:
        Noise with a tenth of the signal's amplitude has 20 dB:

        >>> import numpy as np
        >>> signal = np.array([1.0, -1.0, 1.0, -1.0])
        >>> round(snr_db(signal, 0.9 * signal, np.ones(4, bool)), 6)
        20.0
    """
    signal = reference[where].astype(np.float64)
    noise = signal - estimate[where]
    power, error = float(signal @ signal), float(noise @ noise)
    if not power:
        return None
    return 10 * float(np.log10(power / error)) if error else float("inf")


def log_spectral_distance_db(
    reference: Sound, estimate: Sound, sample_rate: int, where: Mask
) -> float | None:
    """Return the log-spectral distance in dB over the frames that contain certain samples.

    It is the root mean square over frequencies of the difference of log power spectra, averaged over frames.
    Frames have 32 ms, every 8 ms, with a Hann window. Each spectrum is floored 80 dB below a full-scale sine.

    Args:
        reference, estimate: samples (N,) of equal scale.
        sample_rate: in Hz.
        where: mask (N,) of the samples that count.

    Returns:
        The distance, or None if no frame contains such a sample.
    """
    first, second = (_log_spectrum(sound, sample_rate) for sound in (reference, estimate))
    size, hop = _frame(sample_rate)
    counted = frames_of(where, size, hop).any(-1)
    if not counted.any():
        return None
    difference = first[counted] - second[counted]
    return float(np.sqrt(np.square(difference).mean(-1)).mean())


def _frame(sample_rate: int) -> tuple[int, int]:
    return round(FRAME_S * sample_rate), round(HOP_S * sample_rate)


def _log_spectrum(sound: Sound, sample_rate: int) -> npt.NDArray[np.float64]:
    size, hop = _frame(sample_rate)
    window = np.hanning(size + 1)[:-1]
    magnitude = short_time_magnitudes(to_float(sound, np.float64), window, hop) / (window.sum() / 2)
    levels: npt.NDArray[np.float64] = 20 * np.log10(np.maximum(magnitude, 10 ** (FLOOR_DB / 20)))
    return levels


def estoi(reference: Sound, estimate: Sound, sample_rate: int) -> float | None:
    """Return the extended short-time objective intelligibility, about 0 to 1.

    Args:
        reference, estimate: samples (N,) of equal scale.
        sample_rate: in Hz.

    Returns:
        The measure, or None below 0.4 s of speech.
    """
    from pystoi import stoi

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # raised where there is no result
        try:
            first, second = (to_float(sound, np.float64) for sound in (reference, estimate))
            return float(stoi(first, second, sample_rate, extended=True))
        except RuntimeWarning:
            return None


def has_pesq() -> bool:
    """Return whether the package that computes PESQ is installed; else `NO_PESQ` is the message."""
    import importlib.util

    return importlib.util.find_spec("pesq") is not None


def pesq(reference: Sound, estimate: Sound, sample_rate: int) -> float | None:
    """Return the perceptual evaluation of speech quality, about 1 to 4.6.

    Args:
        reference, estimate: samples (N,) of equal scale.
        sample_rate: in Hz. From 16 kHz the wide-band measure is used, else the narrow-band one.

    Returns:
        The measure, or None if the package is not installed or detects no speech.
    """
    if not (has_pesq() and reference.any() and estimate.any()):
        return None
    from pesq import PesqError
    from pesq import pesq as evaluate

    wide = sample_rate >= WIDE_BAND_HZ
    rate = WIDE_BAND_HZ if wide else NARROW_BAND_HZ
    first, second = (resample(sound, sample_rate, rate) for sound in (reference, estimate))
    try:
        return float(evaluate(rate, first, second, "wb" if wide else "nb"))
    except (PesqError, ValueError):
        return None
