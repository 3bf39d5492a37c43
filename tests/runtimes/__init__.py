"""The same pairs, checked against the same gates, on every runtime that the artifacts are made for: `make runtimes`."""
