"""Exporters of stylizers in one piece: content and style, or content alone, in, picture out; no bottleneck to reach."""
