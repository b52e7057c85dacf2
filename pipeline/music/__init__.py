"""MIDI files in, piano rolls out; and back."""
