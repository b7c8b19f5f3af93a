"""Compare two folders of results. Both are treated as untrusted, and nothing in them is executed."""
