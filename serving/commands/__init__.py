"""Commands of serving, one per file; each imports heavy packages only when it runs.

Only the table in `toolkit.cli` names these modules. A module has a function of its command's name.
"""
