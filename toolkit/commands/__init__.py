"""Commands of the toolkit, one a file; each imports what is heavy only when it runs."""
