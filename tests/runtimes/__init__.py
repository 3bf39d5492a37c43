"""The same pairs, held against the same gates, on every runtime that the artifacts are made for: `make runtimes`."""
