"""Benchmarks, one file a subject: `python -m tests.benchmarks [SUBJECT...]`."""
