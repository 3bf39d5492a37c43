"""Exports models and paints collections as pipelines of other engines.

`beam` stylizes collections on Apache Beam, `tfx` exports, blesses and pushes on TensorFlow Extended. The commands
import them; nothing else of serving does.
"""
