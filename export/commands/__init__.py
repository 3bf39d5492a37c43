"""Commands of the exporter, one per file; each imports heavy packages only when it runs.

Only the table in `toolkit.cli` names these modules; `serving.commands` shares their options. A module has a function of
its command's name.
"""
