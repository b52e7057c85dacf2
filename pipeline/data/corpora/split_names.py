"""Names of splits: what corpora call their training, validation and test parts."""

import re
import unicodedata

from pipeline.config.types import Split

_NAMES: dict[Split, str] = {
    "train": "train training trn tr trainset learn learning",
    "valid": "valid validation val dev devel develop development cv devset tune tuning",
    "test": "test testing tst eval evaluation evaluate heldout held-out testset",
}
_SPLIT_OF: dict[str, Split] = {name: split for split, names in _NAMES.items() for name in names.split()}
_MORE = r"(?:[-_. ](?:set|data|split|part|wavs?|audio|clean|other|noisy|clips|files|\d+[a-z]?))*"


def split_named(name: str) -> Split | None:
    """Return the split that a folder or a cell of a table names, in any case; None where it names none.

    >>> split_named("Validation"), split_named("dev-clean"), split_named("anna")
    ('valid', 'valid', None)
    """
    plain = unicodedata.normalize("NFKC", name).strip().lower()
    if plain in _SPLIT_OF:
        return _SPLIT_OF[plain]
    found = re.fullmatch(rf"([a-z]+){_MORE}", plain)
    return _SPLIT_OF.get(found[1]) if found else None
