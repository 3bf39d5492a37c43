"""Commands of the toolkit, one a file; each imports what is heavy only when it runs.

Of the toolkit only `toolkit.cli` imports this room; the commands of `export` and `serving` share its options. A module
has a function of its command's name.
"""
