"""The store of rows: what was committed stays, what was not is cut off, what is missing is said."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.common.blocks import BLOCK_BYTES, read_blocks
from pipeline.data.store.row_store import RowStore, Stored, settings_key
from pipeline.errors import UserError
from tests.helpers.builders import noise

INT16, FLOAT16 = np.dtype("int16"), np.dtype("float16")


def int16_rows(count: int, seed: int = 0) -> NDArray[np.int16]:
    return noise(count, seed)[:, None]


def float16_rows(count: int, seed: int = 0) -> NDArray[np.float16]:
    return np.random.default_rng(seed).normal(-3, 2, (count, 80)).astype(np.float16)


def append(store: RowStore, name: str, rows: NDArray[Any]) -> Stored:
    return store.append(name, f"sound of {name}", io.BytesIO(rows.tobytes()), {"samples": len(rows)})


def stored_rows(store: RowStore, name: str) -> NDArray[Any]:
    entry = store.catalogue.stored[name]
    everything = np.fromfile(store.folder / "rows.bin", store.dtype).reshape(-1, store.width)
    return everything[entry.offset : entry.offset + entry.length]


@pytest.mark.parametrize(("rows_of", "width", "dtype"), [(int16_rows, 1, INT16), (float16_rows, 80, FLOAT16)])
def test_rows_come_back_from_a_store_opened_anew(
    rows_of: Any, width: int, dtype: Any, tmp_path: Path
) -> None:
    sizes = {"a": 1, "b": 70_001, "c": 12}
    store = RowStore(tmp_path, width, dtype)
    for seed, (name, count) in enumerate(sizes.items()):
        append(store, name, rows_of(count, seed))
    store.commit()
    again = RowStore(tmp_path, width, dtype)
    assert again.catalogue == store.catalogue
    for seed, (name, count) in enumerate(sizes.items()):
        assert np.array_equal(stored_rows(again, name), rows_of(count, seed))
        assert again.catalogue.stored[name].facts == {"samples": count}
    assert again.catalogue.rows == sum(sizes.values())


@pytest.mark.parametrize(("rows_of", "width", "dtype"), [(int16_rows, 1, INT16), (float16_rows, 80, FLOAT16)])
def test_moments_are_numpys_over_the_chosen_recordings(
    rows_of: Any, width: int, dtype: Any, tmp_path: Path
) -> None:
    store = RowStore(tmp_path, width, dtype)
    entries = [append(store, str(seed), rows_of(50 + seed, seed)) for seed in range(4)]
    mean, std, low, high = store.moments([entries[0], entries[2]])
    chosen = np.concatenate([rows_of(50, 0), rows_of(52, 2)]).astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, chosen.std(0), rtol=1e-9)
    np.testing.assert_array_equal(low, chosen.min(0))
    np.testing.assert_array_equal(high, chosen.max(0))


@given(st.integers(-32_768, 32_767), st.integers(2, 3000))
def test_moments_of_constant_and_extreme_samples(
    tmp_path_factory: pytest.TempPathFactory, value: int, count: int
) -> None:
    store = RowStore(tmp_path_factory.mktemp("store"), 1, INT16)
    constant = append(store, "constant", np.full((count, 1), value, np.int16))
    mean, std, low, high = store.moments([constant])
    assert (low, high) == (value, value)
    assert mean == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert float(std[0]) < 1e-2
    square = append(store, "square", np.array([[-32_768], [32_767]] * count, np.int16))
    assert store.moments([square])[1] == pytest.approx(32_767.5, rel=1e-9)


def test_nothing_is_permanent_before_the_commit_and_rubbish_is_cut_off(tmp_path: Path) -> None:
    store = RowStore(tmp_path, 1, INT16)
    append(store, "kept", int16_rows(100))
    store.commit()
    append(store, "lost", int16_rows(200, 1))  # a run killed before its commit ...
    with (tmp_path / "rows.bin").open("ab") as file:  # ... in the midst of a sample
        file.write(b"\xff" * 33)
    with (tmp_path / "moments.bin").open("ab") as file:
        file.write(b"\xff" * 5)
    again = RowStore(tmp_path, 1, INT16)
    assert list(again.catalogue.stored) == ["kept"]
    second = append(again, "new", int16_rows(30, 2))
    again.commit()
    assert second.offset == 100
    assert (tmp_path / "rows.bin").stat().st_size == 2 * 130
    assert np.array_equal(stored_rows(again, "kept"), int16_rows(100))
    assert np.array_equal(stored_rows(again, "new"), int16_rows(30, 2))
    mean, std, _, _ = again.moments([second])
    assert mean == pytest.approx(int16_rows(30, 2).mean())
    assert std == pytest.approx(int16_rows(30, 2).std())


def test_a_commit_without_change_writes_nothing(tmp_path: Path) -> None:
    store = RowStore(tmp_path, 1, INT16)
    store.commit()
    assert not list(tmp_path.iterdir())
    append(store, "a", int16_rows(5))
    store.remember("/sound/a.wav", (10, 123, 5, 7), "a")
    store.commit()
    before = (tmp_path / "catalogue.jsonl").stat().st_mtime_ns
    again = RowStore(tmp_path, 1, INT16)
    again.remember("/sound/a.wav", (10, 123, 5, 7), "a")
    again.commit()
    assert (tmp_path / "catalogue.jsonl").stat().st_mtime_ns == before
    again.remember("/sound/a.wav", (10, 124, 5, 7), "a")
    again.commit()
    assert RowStore(tmp_path, 1, INT16).catalogue.seen["/sound/a.wav"] == ((10, 124, 5, 7), "a")


@pytest.mark.parametrize("name", ["rows.bin", "moments.bin"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_store_that_lost_rows_is_refused_and_not_filled_with_silence(
    name: str, damage: str, tmp_path: Path
) -> None:
    store = RowStore(tmp_path, 1, INT16)
    append(store, "a", int16_rows(100))
    store.commit()
    if damage == "gone":
        (tmp_path / name).unlink()
    else:
        with (tmp_path / name).open("r+b") as file:
            file.truncate((tmp_path / name).stat().st_size - 1)
    with pytest.raises(UserError, match=rf"{name}: shorter than its catalogue; delete {tmp_path}"):
        RowStore(tmp_path, 1, INT16)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"stored": {"a": {"begin": 1}}}', '{"stored": {}, "pages": 3}'],
)
def test_a_strange_catalogue_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_text(content)
    with pytest.raises(UserError, match=r"catalogue\.json"):
        RowStore(tmp_path, 1, INT16)


def test_names_that_are_not_utf8_survive(tmp_path: Path) -> None:
    store = RowStore(tmp_path, 1, INT16)
    store.remember("/sound/\udcff.wav", (1, 2, 3, 4), "a")
    store.commit()
    assert list(RowStore(tmp_path, 1, INT16).catalogue.seen) == ["/sound/\udcff.wav"]
    json.loads((tmp_path / "catalogue.jsonl").read_text(encoding="ascii"))


def test_blocks_hold_whole_rows_and_are_bounded() -> None:
    count = 3 * BLOCK_BYTES // 160 + 5
    rows = (np.arange(count * 80) % 2048).astype(np.float16).reshape(count, 80)
    file = io.BytesIO(rows.tobytes())
    file.seek(7)
    blocks = list(read_blocks(file, 80, FLOAT16))
    assert all(block.nbytes <= BLOCK_BYTES for block in blocks)
    assert np.array_equal(np.concatenate(blocks), rows)


def test_a_key_names_settings_whatever_their_order() -> None:
    assert settings_key({"a": 1, "b": 2}) == settings_key({"b": 2, "a": 1})
    assert settings_key({"a": 1}) != settings_key({"a": 2})
    assert len(settings_key({})) == 8
