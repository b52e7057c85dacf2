"""The sets of music in a folder: files with many pieces each, or the loose pieces of the folder as one."""

import re
from collections import Counter
from pathlib import Path

from pipeline.data.corpora.named import SET_SUFFIXES, find_sources


def sets_of_music(folder: Path) -> dict[str, Path]:
    """Return the inputs of the sets by name.

    Args:
        folder: a folder, or a single file. Where there are files with sets, other files are left out; else
            all pieces of the folder are one set with the name of the folder.

    Returns:
        A path for each set. Names can be part of a run's name; a name that several files share has the
        suffix of the file.

    Raises:
        UserError: the folder has no file.
    """
    found = [Path(str(source.path)) for source in find_sources([folder])]
    files = [path for path in found if path.suffix.lower() in SET_SUFFIXES] or [folder]
    stems = Counter(path.stem for path in files)
    return {_run_name(path.stem if stems[path.stem] == 1 else path.name): path for path in files}


def _run_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)
