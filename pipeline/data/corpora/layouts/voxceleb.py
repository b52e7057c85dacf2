"""VoxCeleb 1 and 2: celebrities, by the identity and the video that a piece comes from."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.types import SPLITS
from pipeline.data.corpora.layouts.layout import Layout, Listed

LIST = "iden_split.txt"


def _identification(root: Path) -> Mapping[str, Listed]:
    """Read the list of the identification task: lines of 1 (train), 2 (valid) or 3 (test) and a path."""
    path = next((folder / LIST for folder in (root, *root.parents[:2]) if (folder / LIST).is_file()), None)
    if path is None:
        return {}
    lines = (line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    # Paths in the list begin with the identity, those of the layout may have folders before it.
    below = [""] + [f"{folder}/" for folder in ("wav", "aac", "dev/wav", "test/wav")]
    return {
        folder + line[1]: Listed(None, SPLITS[int(line[0]) - 1])
        for line in lines
        if len(line) == 2 and line[0] in "123"
        for folder in below
    }


VOXCELEB = Layout(
    "VoxCeleb",
    # vox1_dev_wav/wav/id10001/1zcIwhmdeo4/00001.wav, dev/aac/id00012/21Uxsk56VDQ/00001.m4a
    (
        r"(?:(?:vox[12]_)?(?P<split>dev|test)(?:_\w+)?/)?(?:(?:dev|test)/)?(?:(?:wav|aac|m4a|mp4)/)?"
        r"(?P<speaker>id\d{5})/[^/]+/\d{5}\.(?:wav|m4a|flac|mp4|ogg)",
    ),
    {"dev": "train", "test": "test"},  # its development set is what models are trained on
    lists=_identification,
)
