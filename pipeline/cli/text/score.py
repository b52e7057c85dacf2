"""Text output of `wavecast score`: a line for each recording, then a summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.common.places import Place
from pipeline.errors import print_line
from pipeline.scoring.thresholds import Verdict
from pipeline.scoring.windows import RecordingScore

UNITS = {"bits_per_sample": "bits per sample", "nats_per_step": "nats per step"}


def print_score(path: Place, score: RecordingScore, verdict: Verdict | None, first: bool) -> None:
    """Print one recording's figures and its verdict; a header precedes the first recording."""
    figures = _figures((score.bits_per_sample, score.bits_with_experts), score.nats_per_step, score.seconds)
    standing, names = "", "  above threshold  highest    at (s)" if verdict else ""
    if verdict:
        above = f"{verdict.above}/{verdict.stretches}"
        standing = f"  {above:>15}  {verdict.highest:7.3f}  {verdict.highest_at_s:8.2f}"
    if first:
        bits = "" if score.bits_per_sample is None else "bits/sample  with experts  "
        print(f"{bits}nats/step    seconds{names}  recording")
    print_line(f"{figures}{standing}  {path}", flush=True)


def _figures(bits: tuple[float | None, float | None], nats: float, seconds: float) -> str:
    own, mixed = bits
    columns = ("" if own is None else f"{own:11.3f}  ") + ("" if mixed is None else f"{mixed:12.3f}  ")
    return f"{columns}{nats:9.3f}  {seconds:9.2f}"


def print_conclusion(facts: Mapping[str, Any], written: Sequence[Place]) -> None:
    """Print the summary of all recordings (see `pipeline.scoring.tables.scores_facts`) and written files."""
    each = facts["recordings"]
    if len(each) > 1:
        bits = facts["bits_per_sample"], facts["bits_with_experts"]
        figures = _figures(bits, facts["nats_per_step"], facts["seconds"])
        print(f"{figures}  all {len(each)} recordings")
    if "threshold" in facts:
        _print_threshold(
            facts["threshold"], [recording["above"] for recording in each if "above" in recording]
        )
    if "labels" in facts:
        _print_labels(facts["labels"])
    for path in written:
        print_line(path)


def _print_threshold(threshold: Mapping[str, Any], above: Sequence[int]) -> None:
    value = f"{threshold['value']:.3f} {UNITS[threshold['figure']]}"
    windows = f"{threshold['stretches']} windows of {threshold['window_s']:g} s"
    origin = f"quantile {threshold['quantile']:g} of {windows} from {_recordings(threshold['recordings'])}"
    print(f"threshold {value}: {origin}")
    if above:
        print(f"{sum(count > 0 for count in above)} of {_recordings(len(above))} with windows above it")


def _recordings(count: int) -> str:
    return f"{count} recording{'' if count == 1 else 's'}"


def _print_labels(labels: Mapping[str, Any]) -> None:
    print(f"{labels['anomalous']} anomalous and {labels['normal']} normal recordings, separated by")
    for name, by in (("mean", "mean NLL"), ("maximum", "highest window")):
        found = labels[name]
        print(f"  {by:16} AUC {found['auc']:.3f}  pAUC {found['pauc']:.3f} (false alarms up to 0.1)")
