"""One step of a model as an ONNX file, checked against the network itself."""
