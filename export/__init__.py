"""Models in, verified artifacts out."""
