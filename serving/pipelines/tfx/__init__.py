"""Export, parity blessing and push as a TensorFlow Extended pipeline; needs the extra `tfx`."""
