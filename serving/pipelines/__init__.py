"""Pipelines over bundles: whole collections of pictures with Apache Beam."""
