"""Neural style transfer models, and how to run them in one process."""
