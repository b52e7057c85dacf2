"""Published figures: Table 2 of Chung et al. (2014), nats per step of test and training split.

MuseData and Piano-midi have the names of their files in the collection of Boulanger-Lewandowski et al.
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
}
"""By set and unit."""
