"""Builds the files of the embedding model at set-up: published weights in, an int8 ONNX graph out. No torch."""
