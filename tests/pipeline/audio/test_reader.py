"""Notes on recordings keep their code wherever they are copied or sent."""

import copy
import pickle

from pipeline.audio.reader import Note


def test_a_copied_note_keeps_its_code() -> None:
    note = Note("clipped", "3 samples were clipped")
    for twin in (copy.deepcopy(note), pickle.loads(pickle.dumps(note))):
        assert (twin, twin.code) == (note, "clipped")
