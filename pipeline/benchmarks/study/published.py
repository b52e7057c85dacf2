"""What is published: shapes of the sets of speech, and Table 2 of Chung et al. (2014), in nats per step.

MuseData and Piano-midi have the names of their files in the collection of Boulanger-Lewandowski et al. The
recordings of Ubisoft were never released.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """Negative log-likelihoods in nats per step."""

    test: float
    train: float


TABLE_2: dict[str, dict[str, Published]] = {
    "Nottingham": {
        "tanh": Published(3.13, 3.22),
        "gru": Published(3.23, 2.79),
        "lstm": Published(3.20, 3.08),
    },
    "JSB_Chorales": {
        "tanh": Published(9.10, 8.82),
        "gru": Published(8.54, 6.94),
        "lstm": Published(8.67, 8.15),
    },
    "MuseData": {
        "tanh": Published(6.23, 5.64),
        "gru": Published(5.99, 5.06),
        "lstm": Published(6.23, 5.18),
    },
    "Piano_midi": {
        "tanh": Published(9.03, 5.64),
        "gru": Published(8.82, 4.93),
        "lstm": Published(9.03, 6.49),
    },
    "Ubisoft A": {
        "tanh": Published(6.44, 6.29),
        "gru": Published(3.59, 2.31),
        "lstm": Published(2.70, 1.44),
    },
    "Ubisoft B": {
        "tanh": Published(7.62, 7.61),
        "gru": Published(0.88, 0.38),
        "lstm": Published(1.26, 0.80),
    },
}
"""By set and unit."""


class Shape(NamedTuple):
    """A set of the study.

    Attributes:
        name: of the set here, which is not made of the same recordings.
        published: the name in the study.
        sequences: their number in all splits together.
        samples: length of each.
        batch_size: sequences in an update.
    """

    name: str
    published: str
    sequences: int
    samples: int
    batch_size: int


SHAPES = (
    Shape("speech-500", "Ubisoft A", 7_230, 500, 32),
    Shape("speech-8000", "Ubisoft B", 800, 8_000, 8),
)
