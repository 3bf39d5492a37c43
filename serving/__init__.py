"""Bundles in, running models out."""
