"""Models and whole collections as pipelines of other engines."""
