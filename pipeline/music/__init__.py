"""MIDI files and sets of sequences to piano rolls and back.

In: MIDI, `.mat` or `.npz` files. Out: piano rolls (T, 88), and MIDI files from them.
Imports `pipeline.audio` and below.
"""
