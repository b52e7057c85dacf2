"""Examination of one recording: whether it can be used, and faults of its signal and format.

It is decoded twice: as preparation decodes it, which may reject it, and at its own rate, to be measured.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pipeline.audio.decode import DecodedFacts, open_decoding
from pipeline.audio.pcm import INT16_STEP
from pipeline.audio.reader import AudioInfo
from pipeline.audio.readers import open_recording
from pipeline.common.text import duration
from pipeline.diagnostics.findings import Examination, Finding, counted, share, worst_first
from pipeline.diagnostics.rejection import rejected
from pipeline.diagnostics.signal_statistics import FLAT_RUN, SoundFigures, SoundMeter
from pipeline.errors import RecordingRejected

SHORT_S = 0.1
QUIET_PEAK_DB, LOST_PEAK_DB = -40.0, -70.0
DC_LEAST, DC_OF_SOUND = 0.005, 0.1
SOME_CLIPPED, MUCH_CLIPPED = 2e-6, 0.01
FEW_CLIPPED, LOUD = 15, 0.9  # below full scale, a few flat tips are chance
MOSTLY_SILENT = 0.45
CANCELS, WEAKENS = 0.01, 0.3  # of the power that independent channels would leave in their average
NARROW = 0.9  # of what a sample rate allows
NOTHING_THERE_DB = -96.0

NOTED = "No sample is lost; write the file again if another program rejects it."


def examine_recording(path: Path, sample_rate: int) -> Examination:
    """Return the examination of a recording. A damaged file is a finding, not an error.

    Args:
        path: the recording.
        sample_rate: rate in Hz of the model that it is meant for.
    """
    try:
        facts = _decoded(path, sample_rate)
        info, found = _measured(path)
    except RecordingRejected as rejection:
        return rejected(path, str(rejection), rejection.code)
    except OSError as problem:
        return rejected(path, str(problem), "unreadable")
    except (MemoryError, RuntimeError, ValueError) as problem:  # of a decoder, on a damaged file
        return rejected(path, f"cannot be decoded ({type(problem).__name__})")
    findings = [*_notes(facts, found), *_length(found)]
    if found.seconds >= SHORT_S:
        findings += [*_level(found), *_faults(found), *_channels(found), *_rate(info, found, sample_rate)]
    if all(finding.severity == "fine" for finding in findings):
        findings.append(Finding("fine", "sound", _all_clear(found)))
    channels = {1: "mono", 2: "stereo"}.get(info.channels, f"{info.channels} channels")
    summary = (
        f"{duration(found.seconds)}, {info.sample_rate} Hz, {channels}, {info.container} {info.encoding}"
    )
    return Examination(str(path), "recording", summary, asdict(info) | asdict(found), worst_first(findings))


def _decoded(path: Path, sample_rate: int) -> DecodedFacts:
    with open_decoding(path) as recording:
        for _ in recording.blocks(sample_rate):
            pass
        return recording.facts


def _measured(path: Path) -> tuple[AudioInfo, SoundFigures]:
    with open_recording(path) as reader:
        meter = SoundMeter(reader.info.sample_rate, reader.info.channels, reader.info.encoding)
        for block in reader.blocks("float64" if reader.holds_float64 else "float32"):
            meter.add(block)
        return reader.info, meter.figures()


def _notes(facts: DecodedFacts, found: SoundFigures) -> Iterator[Finding]:
    """Yield notes of the decoder; samples clipped in the file itself are reported by `_faults`."""
    for note in facts.notes:
        if note.code != "clipped":
            yield Finding("warning", "decoder", f"{_sentence(note)}.", NOTED)
        elif not found.clipped:
            advice = "Encode it again 3 dB lower, so that nothing is clipped."
            yield Finding("warning", "overshoot", f"{_sentence(note)}.", advice)


def _length(found: SoundFigures) -> Iterator[Finding]:
    if found.seconds < SHORT_S:
        what = f"It lasts {1000 * found.seconds:.1f} ms, which is too short as context for a model."
        yield Finding("warning", "short", what, "Use longer recordings, or join short ones of one source.")


def _level(found: SoundFigures) -> Iterator[Finding]:
    """Yield findings on silence, constant values, low level and DC offset."""
    peak, std = max(found.peak), max(found.std)
    if peak < INT16_STEP / 2 and std < INT16_STEP / 2:
        what = "It is digital silence: every sample is zero in 16 bits."
        yield Finding("problem", "silent", what, "Leave it out: it has no signal to train on or to score.")
        return
    if std < INT16_STEP / 2:
        what = f"All its samples have one value ({_steps(found.mean[0])} of 32,768 steps): it has no signal."
        yield Finding("problem", "constant", what, "Leave it out, and check the recording device.")
        return
    level_db = decibels(max(peak - max(map(abs, found.mean)), std))
    if level_db < QUIET_PEAK_DB:
        bits = max(1, math.ceil(math.log2(max(peak / INT16_STEP, 1))) + 1)
        what = f"Its loudest sample is at {decibels(peak):.0f} dB of full scale: it uses {bits} of 16 bits."
        advice = "Record it louder, or use the original; amplification does not restore resolution."
        yield Finding("problem" if level_db < LOST_PEAK_DB else "warning", "quiet", what, advice)
    offset = max(found.mean, key=abs)
    if abs(offset) > max(DC_LEAST, DC_OF_SOUND * std):
        what = (
            f"It has a DC offset: its mean is {100 * offset:+.1f} % of full scale"
            f" ({abs(offset) / std:.1f} times the standard deviation of the signal)."
        )
        advice = "Remove the offset with a high-pass filter at 20 Hz: it reduces headroom."
        yield Finding("warning", "offset", what, advice)


def _faults(found: SoundFigures) -> Iterator[Finding]:
    """Yield findings on clipping, drop-outs, silence and hum."""
    if max(found.std) < INT16_STEP / 2:
        return
    if found.clipped_share > SOME_CLIPPED and found.clipped >= (
        FEW_CLIPPED if max(found.peak) < LOUD else 2 * FLAT_RUN
    ):
        level_db = decibels(max(found.peak))
        what = (
            f"{share(found.clipped_share)} of its samples ({found.clipped:,}) are clipped:"
            f" flat at {level_db:.1f} dB of full scale."
        )
        advice = "Record at a lower level, or use the original: clipped peaks cannot be restored."
        yield Finding("problem" if found.clipped_share > MUCH_CLIPPED else "warning", "clipped", what, advice)
    if found.gaps:
        what = (
            f"It has {counted(found.gaps, 'drop-out')}, where zeros interrupt the signal,"
            f" first at {found.first_gap_s:.3f} s."
        )
        advice = "Copy the recording again from its device; a model learns drop-outs as part of the signal."
        yield Finding("warning", "drop-outs", what, advice)
    if found.silence > MOSTLY_SILENT and decibels(max(found.peak)) >= QUIET_PEAK_DB:
        zeros = f", {share(found.zeros)} exact zeros" if found.zeros else ""
        what = f"{share(found.silence)} of it is silence (below -60 dB of full scale{zeros})."
        advice = "Cut out the silence: it is easy to predict, so it makes figures too good."
        yield Finding("warning", "silence", what, advice)
    if found.hum_hz:
        what = f"{share(found.hum_share)} of its power lies at {found.hum_hz:.0f} Hz, which may be mains hum."
        advice = "Remove the hum with a notch filter, or repair the cable. Ignore this if it is a bass note."
        yield Finding("warning", "hum", what, advice)


def _channels(found: SoundFigures) -> Iterator[Finding]:
    """Yield findings on the effect of averaging the channels to mono."""
    count, loud = len(found.std), max(found.std)
    if count == 1 or loud < INT16_STEP / 2:
        return
    silent = [number for number, std in enumerate(found.std, 1) if std < INT16_STEP / 2]
    if found.mix * count < CANCELS:
        what = f"Its {count} channels cancel each other: their average, the model's input, is silence."
        advice = "Invert the polarity of one channel, or keep one channel only."
        yield Finding("problem", "anti-phase", what, advice)
    elif silent:
        numbers = ", ".join(map(str, silent))
        level_db = 20 * math.log10(count / (count - len(silent)))
        are = "channel {} is" if len(silent) == 1 else "channels {} are"
        what = (
            f"Of its {count} channels, {are.format(numbers)} silent:"
            f" the average of all channels is {level_db:.0f} dB quieter."
        )
        yield Finding("warning", "silent-channel", what, "Keep only the channels with sound.")
    elif found.mix * count < WEAKENS:
        what = f"Its channels partly cancel: {share(found.mix)} of their power is left in their average."
        yield Finding("warning", "cancelling", what, "Keep one channel, or invert the polarity of one.")
    elif found.identical:
        what = f"Its {count} channels are identical: it is a mono recording."
        yield Finding("fine", "identical-channels", what)


def _rate(info: AudioInfo, found: SoundFigures, sample_rate: int) -> Iterator[Finding]:
    """Compare the highest frequency of the signal with those that its rate and the model's allow."""
    own_hz, models_hz = info.sample_rate / 2, sample_rate / 2
    reach_hz = own_hz if found.bandwidth_hz is None else found.bandwidth_hz
    audible = decibels(max(found.peak)) >= QUIET_PEAK_DB and max(found.std) >= INT16_STEP
    if info.sample_rate < sample_rate:
        what = (
            f"Its sample rate of {info.sample_rate} Hz holds frequencies up to {_khz(own_hz)}, the model's"
            f" {sample_rate} Hz up to {_khz(models_hz)}. Upsampling does not add the missing band."
        )
        advice = f"Train with --set input.sample_rate={info.sample_rate}, or use recordings of a higher rate."
        yield Finding("warning", "low-rate", what, advice)
    elif audible and reach_hz < NARROW * models_hz:
        what = f"It has no signal above {_khz(reach_hz)}, though its {info.sample_rate} Hz would allow more."
        advice = (
            "It was upsampled, band-limited, or is a tone. Use the original,"
            f" or train with --set input.sample_rate={max(2000, 2 * math.ceil(reach_hz / 1000) * 1000)}."
        )
        yield Finding("warning", "narrow", what, advice)
    elif audible and reach_hz < NARROW * own_hz:
        why = "a lossy codec, or an earlier lower rate"
        what = f"It has no signal above {_khz(reach_hz)} ({why}); a model of {sample_rate} Hz needs no more."
        yield Finding("fine", "narrow", what)


def _all_clear(found: SoundFigures) -> str:
    peak_db, level_db = decibels(max(found.peak)), decibels(max(found.std))
    levels = f"peak {peak_db:.1f} dB, level {level_db:.1f} dB of full scale"
    return f"Nothing is wrong: {levels}, no clipping and no drop-outs."


def decibels(amplitude: float) -> float:
    """Return an amplitude in dB of full scale, at least -96 dB, the limit of 16 bits."""
    return max(NOTHING_THERE_DB, 20 * math.log10(amplitude)) if amplitude > 0 else NOTHING_THERE_DB


def _steps(amplitude: float) -> str:
    return f"{round(amplitude / INT16_STEP):+,}"


def _khz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:.1f} kHz"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")
