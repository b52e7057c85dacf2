"""Small things that many tests are built of: sound, files, settings, models."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.config.inputs import InputConfig, PianoRollConfig, WaveformConfig
from pipeline.config.model import ModelConfig
from pipeline.config.run import CorpusConfig, RunConfig
from pipeline.config.types import Split
from pipeline.data.dataset import Dataset, SplitRows, open_dataset, write_dataset
from pipeline.data.manifest import Recording
from pipeline.data.preparation import prepare
from pipeline.data.store.row_store import RowStore
from pipeline.features.normalisation import Normalisation
from pipeline.features.normaliser import Normaliser
from pipeline.features.representations import representation_of
from pipeline.model.build import build_network
from pipeline.model.trained_model import TrainedModel

Samples = NDArray[np.int16]


def noise(count: int, seed: int = 0, std: float = 1_000.0) -> Samples:
    """White Gaussian noise, rounded and clipped to 16 bits."""
    values = std * np.random.default_rng(seed).standard_normal(count)
    return values.round().clip(-32_768, 32_767).astype(np.int16)


def tone(count: int, seed: int = 0, sample_rate: int = 8_000) -> Samples:
    """A tone of a pitch and loudness drawn from the seed, over a little noise."""
    random = np.random.default_rng(seed)
    frequency_hz, loudness = random.uniform(80, 400), random.uniform(1_000, 9_000)
    wave = loudness * np.sin(2 * np.pi * frequency_hz * np.arange(count) / sample_rate)
    return (wave + noise(count, seed, 30.0)).round().clip(-32_768, 32_767).astype(np.int16)


def write_sound(path: Path, samples: NDArray[Any], sample_rate: int = 8_000, subtype: str = "PCM_16") -> Path:
    """Write a file of the format that its suffix names, in folders made as needed."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, sample_rate, subtype=subtype)
    return path


def speakers_folder(root: Path, speakers: int = 10, recordings: int = 2, samples: int = 3_000) -> Path:
    """A corpus ROOT/speaker-1/0.wav, ... of short tones at 8 kHz, of different lengths; returns ``root``."""
    for speaker in range(speakers):
        for take in range(recordings):
            sound = tone(samples + 37 * take + 11 * speaker, 100 * speaker + take)
            write_sound(root / f"speaker-{speaker}" / f"{take}.wav", sound)
    return root


def run_config(
    inputs: Path | Sequence[Path], input_config: InputConfig | None = None, **corpus: Any
) -> RunConfig:
    """Settings for a corpus at 8 kHz; keywords go to its corpus section."""
    paths = [inputs] if isinstance(inputs, Path) else list(inputs)
    return RunConfig(
        corpus=CorpusConfig(inputs=paths, **corpus), input=input_config or WaveformConfig(sample_rate=8_000)
    )


def join_rows(recordings: Sequence[NDArray[Any]], lead: int = 3, gap: int = 2) -> SplitRows:
    """Recordings (N, width) in one array, with foreign rows before, between and after them."""
    width, dtype = recordings[0].shape[1], recordings[0].dtype
    parts, offset, position = [np.full((lead, width), 99, dtype)], [], lead
    for rows in recordings:
        offset.append(position)
        parts += [rows, np.full((gap, width), 77, dtype)]
        position += len(rows) + gap
    length = [len(rows) for rows in recordings]
    return SplitRows(torch.from_numpy(np.concatenate(parts)), torch.tensor(offset), torch.tensor(length))


def normaliser_of(config: InputConfig, mean: float = 0.01, std: float = 0.05) -> Normaliser:
    """On the CPU, with the same mean and standard deviation for every value of a row."""
    width = representation_of(config).row_width
    return Normaliser(
        representation_of(config), Normalisation((mean,) * width, (std,) * width), torch.device("cpu")
    )


def tiny_model(config: InputConfig | None = None, seed: int = 0, **model: Any) -> TrainedModel:
    """An untrained model of 12 units and 3 components; keywords change its settings."""
    config = config or WaveformConfig(sample_rate=8_000)
    width = representation_of(config).row_width
    settings = ModelConfig(**{"hidden_size": 12, "mixture_components": 3, **model})
    notes = isinstance(config, PianoRollConfig)  # which meet the model as they are
    normalisation = Normalisation((0.0 if notes else 0.01,) * width, (1.0 if notes else 0.05,) * width)
    torch.manual_seed(seed)
    network = build_network(config, settings, normalisation).eval()
    return TrainedModel.of(network, config, settings, normalisation, {"epochs": 1})


def adaptive_model(config: WaveformConfig | None = None, spread: float = 0.05) -> TrainedModel:
    """A model whose head changes the mixture of adaptive predictions, by weights of this spread."""
    model = tiny_model(config, head="adaptive")
    with torch.no_grad():
        for weights in model.network.get_submodule("head.projection").parameters():
            weights.normal_(0, spread)
    return model


def dataset_of(
    folder: Path, splits: Mapping[Split, Sequence[NDArray[Any]]], config: InputConfig | None = None
) -> Dataset:
    """A prepared data set of these rows (N, width) or samples (N,), each a recording of its own group."""
    config = config or WaveformConfig(sample_rate=8_000)
    folder.mkdir(parents=True, exist_ok=True)
    store = RowStore(folder, representation_of(config).row_width, representation_of(config).row_dtype)
    records = []
    for split, recordings in splits.items():
        for index, rows in enumerate(recordings):
            name = f"{split}-{index}"
            data = io.BytesIO(rows.astype(representation_of(config).row_dtype).tobytes())
            store.append(name, name, data, {})
            records.append(Recording(path=Path(name), content_hash=name, group=name, split=split))
    store.commit()
    return open_dataset(write_dataset(store, records, config), config)


def prepared(config: RunConfig) -> Dataset:
    """Prepare the corpus of the settings, and open what came of it."""
    return open_dataset(prepare(config), config.input)


def rows_of(dataset: Dataset, name: str) -> NDArray[np.generic]:
    """The rows (T, width) of the one recording whose path ends with ``name``."""
    (index,) = (i for i, path in enumerate(dataset.recording) if path.endswith(name))
    return np.asarray(dataset.recording_rows(index).numpy())
