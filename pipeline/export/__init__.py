"""One step of a model as an ONNX file, and spectrograms as files.

In: a trained model, or a recording. Out: `.onnx`, checked against the network; pictures and arrays.
Imports `pipeline.generation` and below; no other application.
"""
