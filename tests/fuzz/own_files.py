"""Files that wavecast writes, mutated, their checksums made valid again."""

import hashlib
import json
import struct
import zlib
from pathlib import Path
from random import Random
from typing import Any

import torch

from pipeline.common.files import CHECKSUM, with_checksum, write_json
from pipeline.common.hashing import checksum
from pipeline.compression.codec import CodingModel, compress_sound, decompress_sound
from pipeline.compression.container import FIRST_VERSION, MAGIC, PLAIN_VERSION, VERSION
from pipeline.model.storage import load_model
from pipeline.training.checkpoint import TRAILER, Position, restore_checkpoint, save_checkpoint
from tests.fuzz.fuzzing import Attempt
from tests.fuzz.mutations import mutate_bytes, mutate_json, mutate_value, mutate_zip, text_of
from tests.helpers.builders import tiny_model, tone, write_sound
from tests.helpers.coded_files import compress_in_first_format
from tests.helpers.commands import saved_model

PRELUDE = struct.Struct("<8sIIQ")
SIZES = struct.Struct("<II")


def sealed_object(value: Any) -> bytes:
    """A JSON text with the checksum of its content, where it is an object."""
    return with_checksum({k: x for k, x in value.items() if k != CHECKSUM}).encode()


def sealed_coded(header: bytes, blocks: bytes, version: int = PLAIN_VERSION, values: bytes = b"") -> bytes:
    """A compressed recording of any header, values and blocks, with valid lengths and checksum."""
    header = header if version == FIRST_VERSION else zlib.compress(header, 9)
    blocks = struct.pack("<I", len(values)) + values + blocks if version == VERSION else blocks
    size = PRELUDE.size + len(header) + len(blocks) + 32
    body = PRELUDE.pack(MAGIC, version, len(header), size) + header + blocks
    return body + hashlib.sha256(body).digest()


def values_of(coded: bytes) -> bytes:
    """The packed values of a compressed recording of the newest version."""
    _, version, length, _ = PRELUDE.unpack_from(coded)
    place = PRELUDE.size + length
    (size,) = struct.unpack_from("<I", coded, place)
    return coded[place + 4 : place + 4 + size] if version == VERSION else b""


def parts_of(coded: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The header and the blocks of a compressed recording."""
    _, version, length, _ = PRELUDE.unpack_from(coded)
    place, blocks = PRELUDE.size + length, []
    if version == VERSION:
        place += 4 + len(values_of(coded))
    while place < len(coded) - 32:
        words, rest = SIZES.unpack_from(coded, place)
        middle = place + SIZES.size + words
        blocks.append((coded[place + SIZES.size : middle], coded[middle : middle + rest]))
        place = middle + rest
    header = coded[PRELUDE.size : PRELUDE.size + length]
    return header if version == FIRST_VERSION else zlib.decompress(header), blocks


def joined(blocks: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(SIZES.pack(len(words), len(rest)) + words + rest for words, rest in blocks)


def mutate_coded(coded: bytes, draw: Random) -> bytes:
    """Mutate a compressed recording; mostly the sums are made valid again."""
    header, blocks = parts_of(coded)
    version, values = PRELUDE.unpack_from(coded)[1], values_of(coded)
    if draw.random() < 0.1:
        version = draw.choice([0, FIRST_VERSION, PLAIN_VERSION, VERSION])
    if draw.random() < 0.3:
        values = mutate_bytes(values, draw)
    kind = draw.random()
    if kind < 0.15:
        return mutate_bytes(coded, draw)
    if kind < 0.3:
        return sealed_coded(header, mutate_bytes(joined(blocks), draw), version, values)
    if kind < 0.75:
        return sealed_coded(mutate_json(header, draw), joined(blocks), version, values)
    place = draw.randrange(len(blocks))
    words, rest = blocks[place]
    bomb = zlib.compress(bytes(draw.choice([0, 3, 1 << 16, 1 << 26])))
    blocks[place] = draw.choice(
        [(mutate_bytes(words, draw), rest), (words, bomb), (words, mutate_bytes(rest, draw))]
    )
    return sealed_coded(header, joined(blocks), version, values)


def compressed(folder: Path) -> Attempt:
    """Decompress a mutated recording."""
    coding = CodingModel.load(saved_model(folder / "model"), "model")
    coded = []
    for subtype in ("PCM_16", "PCM_24"):
        source = write_sound(folder / f"{subtype}.wav", tone(120), subtype=subtype)
        for number, compress in enumerate((compress_sound, compress_in_first_format)):
            compress(coding, source, folder / f"{number}.wcz")
        compress_sound(None, source, folder / "2.wcz")
        coded += [(folder / f"{number}.wcz").read_bytes() for number in range(3)]
    few = write_sound(folder / "few.wav", 100 * (tone(2_000) // 1_000))
    for model in (coding, None):
        compress_sound(model, few, folder / "few.wcz")
        coded.append((folder / "few.wcz").read_bytes())
    assert values_of(coded[-1])

    def attempt(draw: Random, folder: Path) -> None:
        (folder / "a.wcz").write_bytes(mutate_coded(draw.choice(coded), draw))
        decompress_sound(draw.choice([coding, None]), folder / "a.wcz", folder / "a.wav")

    return attempt


def model_folder(folder: Path) -> Attempt:
    """Load a mutated model, and build its network."""
    whole = saved_model(folder / "model")
    settings, weights = (whole / "config.json").read_bytes(), (whole / "model.safetensors").read_bytes()

    def attempt(draw: Random, folder: Path) -> None:
        folder = folder / "mutated"
        folder.mkdir(exist_ok=True)
        if draw.random() < 0.5:
            (folder / "config.json").write_bytes(mutate_json(settings, draw, sealed_object))
            (folder / "model.safetensors").write_bytes(weights)
        else:
            mutated = mutate_tensors(weights, draw)
            (folder / "model.safetensors").write_bytes(mutated)
            content = json.loads(settings) | {"weights": checksum(mutated)}
            del content[CHECKSUM]
            write_json(folder / "config.json", content)
        _ = load_model(folder).network

    return attempt


def mutate_tensors(data: bytes, draw: Random) -> bytes:
    """Mutate a file of safetensors: its bytes, or its header with a valid length."""
    length = struct.unpack_from("<Q", data)[0]
    if draw.random() < 0.4:
        return mutate_bytes(data, draw)
    header = text_of(mutate_value(json.loads(data[8 : 8 + length]), draw))
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def checkpoint(folder: Path) -> Attempt:
    """Restore a mutated checkpoint."""
    network = tiny_model().network
    optimizer = torch.optim.Adam(network.parameters())
    sum(x.sum() for x in network.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    save_checkpoint(folder / "last.pt", network, optimizer, Position(), 7)
    packed = (folder / "last.pt").read_bytes().rpartition(TRAILER)[0]

    def attempt(draw: Random, folder: Path) -> None:
        mutated = (mutate_bytes if draw.random() < 0.3 else mutate_zip)(packed, draw)
        (folder / "a.pt").write_bytes(mutated + TRAILER + checksum(mutated).encode())
        restore_checkpoint(folder / "a.pt", network, optimizer, torch.device("cpu"))

    return attempt
