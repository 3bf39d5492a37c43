"""Commands of serving, one a file; each imports what is heavy only when it runs.

Only the table in `toolkit.cli` names these modules. A module has a function of its command's name.
"""
