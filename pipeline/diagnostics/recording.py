"""What is wrong with one recording, in sentences: whether it can be used, and whether it is what it claims.

It is decoded twice: as preparation would, which may reject it, and as it is stored, to be measured.
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
    """Examine a recording for a model of ``sample_rate`` Hz. Never raises."""
    try:
        facts = _decoded(path, sample_rate)
        info, found = _measured(path)
    except RecordingRejected as rejection:
        return rejected(path, str(rejection), rejection.code)
    except OSError as problem:
        return rejected(path, str(problem), "unreadable")
    except (MemoryError, RuntimeError, ValueError) as problem:  # of a decoder that is not used to such a file
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
    """What the decoder remarks; clipped samples are reported below, where they are flat in the file."""
    for note in facts.notes:
        if note.code != "clipped":
            yield Finding("warning", "decoder", f"{_sentence(note)}.", NOTED)
        elif not found.clipped:
            advice = "Encode it again 3 dB lower, so that nothing is cut off."
            yield Finding("warning", "overshoot", f"{_sentence(note)}.", advice)


def _length(found: SoundFigures) -> Iterator[Finding]:
    if found.seconds < SHORT_S:
        what = f"It lasts {1000 * found.seconds:.1f} ms: it is too short to condition a model."
        yield Finding("warning", "short", what, "Use longer recordings, or join short ones of one source.")


def _level(found: SoundFigures) -> Iterator[Finding]:
    """Too quiet, constant, off centre."""
    peak, std = max(found.peak), max(found.std)
    if peak < INT16_STEP / 2 and std < INT16_STEP / 2:
        what = "It is digital silence: every sample is zero in 16 bits."
        yield Finding("problem", "silent", what, "Leave it out: there is nothing in it to learn or to score.")
        return
    if std < INT16_STEP / 2:
        what = f"It holds one constant value throughout ({_steps(found.mean[0])} of 32,768 steps), no sound."
        yield Finding("problem", "constant", what, "Leave it out, and check the recording device.")
        return
    level_db = decibels(max(peak - max(map(abs, found.mean)), std))
    if level_db < QUIET_PEAK_DB:
        bits = max(1, math.ceil(math.log2(max(peak / INT16_STEP, 1))) + 1)
        what = f"Its loudest sample is at {decibels(peak):.0f} dB of full scale: it uses {bits} of 16 bits."
        advice = "Record it louder, or find the original; amplifying it brings no detail back."
        yield Finding("problem" if level_db < LOST_PEAK_DB else "warning", "quiet", what, advice)
    offset = max(found.mean, key=abs)
    if abs(offset) > max(DC_LEAST, DC_OF_SOUND * std):
        what = (
            f"It is off centre: its mean is {100 * offset:+.1f} % of full scale"
            f" ({abs(offset) / std:.1f} times the size of the sound itself)."
        )
        advice = (
            "Take the offset away with a high-pass filter at 20 Hz: it costs loudness and teaches nothing."
        )
        yield Finding("warning", "offset", what, advice)


def _faults(found: SoundFigures) -> Iterator[Finding]:
    """Clipping, drop-outs, silence, hum."""
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
        advice = "Record at a lower level, or find the original: what was cut off is lost."
        yield Finding("problem" if found.clipped_share > MUCH_CLIPPED else "warning", "clipped", what, advice)
    if found.gaps:
        what = (
            f"{counted(found.gaps, 'drop-out')}: the sound breaks off into zeros and comes back,"
            f" first at {found.first_gap_s:.3f} s."
        )
        advice = "Copy the recording again from its device; a model learns these gaps as part of the sound."
        yield Finding("warning", "drop-outs", what, advice)
    if found.silence > MOSTLY_SILENT and decibels(max(found.peak)) >= QUIET_PEAK_DB:
        zeros = f", {share(found.zeros)} exact zeros" if found.zeros else ""
        what = f"{share(found.silence)} of it is silence (below -60 dB of full scale{zeros})."
        advice = "Cut the silence away: it is easy to predict and makes figures look better than they are."
        yield Finding("warning", "silence", what, advice)
    if found.hum_hz:
        what = f"{share(found.hum_share)} of its power lies at {found.hum_hz:.0f} Hz, as mains hum does."
        advice = "Unless it is a bass note, take it out with a notch filter or mend the cable."
        yield Finding("warning", "hum", what, advice)


def _channels(found: SoundFigures) -> Iterator[Finding]:
    """What averaging the channels to mono does."""
    count, loud = len(found.std), max(found.std)
    if count == 1 or loud < INT16_STEP / 2:
        return
    silent = [number for number, std in enumerate(found.std, 1) if std < INT16_STEP / 2]
    if found.mix * count < CANCELS:
        what = f"Its {count} channels cancel each other: their average, which a model reads, is silence."
        advice = "Turn the polarity of one channel over, or keep one channel alone."
        yield Finding("problem", "anti-phase", what, advice)
    elif silent:
        numbers = ", ".join(map(str, silent))
        level_db = 20 * math.log10(count / (count - len(silent)))
        what = f"Of its {count} channels, {numbers} is silent: their average is {level_db:.0f} dB quieter."
        yield Finding("warning", "silent-channel", what, "Keep only the channels with sound.")
    elif found.mix * count < WEAKENS:
        what = f"Its channels partly cancel: {share(found.mix)} of their power is left in their average."
        yield Finding("warning", "cancelling", what, "Keep one channel, or turn the polarity of one over.")
    elif found.identical:
        what = f"Its {count} channels are the same: it is a mono recording."
        yield Finding("fine", "identical-channels", what)


def _rate(info: AudioInfo, found: SoundFigures, sample_rate: int) -> Iterator[Finding]:
    """What frequencies it holds, beside those that its rate and the model's allow."""
    own_hz, models_hz = info.sample_rate / 2, sample_rate / 2
    reach_hz = own_hz if found.bandwidth_hz is None else found.bandwidth_hz
    audible = decibels(max(found.peak)) >= QUIET_PEAK_DB and max(found.std) >= INT16_STEP
    if info.sample_rate < sample_rate:
        what = (
            f"Its {info.sample_rate} Hz reach up to {_khz(own_hz)}, the model's {sample_rate} Hz to"
            f" {_khz(models_hz)}: converting it upwards invents nothing."
        )
        advice = f"Train with --set input.sample_rate={info.sample_rate}, or use recordings of a higher rate."
        yield Finding("warning", "low-rate", what, advice)
    elif audible and reach_hz < NARROW * models_hz:
        what = f"It holds nothing above {_khz(reach_hz)}, though its {info.sample_rate} Hz would allow more."
        advice = (
            "It was once at a lower rate, went through a narrow channel, or is a tone: find the original,"
            f" or train with --set input.sample_rate={max(2000, 2 * math.ceil(reach_hz / 1000) * 1000)}."
        )
        yield Finding("warning", "narrow", what, advice)
    elif audible and reach_hz < NARROW * own_hz:
        why = "a lossy codec, or a lower rate before"
        what = f"It holds nothing above {_khz(reach_hz)} ({why}); a model of {sample_rate} Hz needs no more."
        yield Finding("fine", "narrow", what)


def _all_clear(found: SoundFigures) -> str:
    peak_db, level_db = decibels(max(found.peak)), decibels(max(found.std))
    levels = f"peak {peak_db:.1f} dB, level {level_db:.1f} dB of full scale"
    return f"Nothing is wrong: {levels}, no clipping, no drop-outs."


def decibels(amplitude: float) -> float:
    """Amplitude in dB of full scale; what 16 bits cannot hold counts as -96 dB."""
    return max(NOTHING_THERE_DB, 20 * math.log10(amplitude)) if amplitude > 0 else NOTHING_THERE_DB


def _steps(amplitude: float) -> str:
    return f"{round(amplitude / INT16_STEP):+,}"


def _khz(frequency_hz: float) -> str:
    return f"{frequency_hz / 1000:.1f} kHz"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")
