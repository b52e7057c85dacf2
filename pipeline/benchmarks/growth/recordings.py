"""Prepared data sets of any length with recordings of noise, where the sound does not matter."""

from pathlib import Path

import numpy as np

from pipeline.common.files import write_json
from pipeline.config.inputs import WaveformConfig
from pipeline.data.dataset import Dataset, dataset_settings, open_dataset
from pipeline.data.store.disk import require_space

RECORDING_S = 15
_STD = 1_000.0
_BLOCK_S = 60


def noise_dataset(folder: Path, hours: float, config: WaveformConfig) -> Dataset:
    """Write a data set of white noise in recordings of 15 seconds, and open it.

    The same minute of noise is written again and again, so that writing is limited by the disk. Rows have no
    checksums, since there is no recording that they could be compared with. Ten recordings are for
    validation. The file of rows is removed at once: its map keeps it until the process ends, however it ends.

    Args:
        folder: an empty folder.
        hours: length of the training split.
        config: gives the sample rate.

    Raises:
        UserError: the disk has too little space.
    """
    rate = config.sample_rate
    count = max(1, round(hours * 3600 / RECORDING_S))
    length = RECORDING_S * rate
    total = (count + 10) * length
    require_space(folder, 2 * total, f"a data set of {hours:g} hours")
    block = np.random.default_rng(0).normal(0, _STD, _BLOCK_S * rate).astype(np.int16)
    with (folder / "rows.bin").open("wb") as file:
        for begin in range(0, total, len(block)):
            file.write(block[: min(len(block), total - begin)].data)
    recordings = [
        {
            "path": f"{number}.wav",
            "group": str(number),
            "split": "train" if number < count else "valid",
            "offset": number * length,
            "length": length,
        }
        for number in range(count + 10)
    ]
    content = {
        "fingerprint": "noise",
        "settings": dataset_settings(config),
        **{key: [value / 32_768] for key, value in zip(("mean", "std"), (0.0, _STD), strict=True)},
        **{key: [value] for key, value in zip(("low", "high"), (-1.0, 1.0), strict=True)},
        "recordings": recordings,
    }
    path = folder / "noise" / "dataset.json"
    write_json(path, content)
    dataset = open_dataset(path, config)
    (folder / "rows.bin").unlink()
    return dataset
