"""The architectures: every file of this folder is one, found by its name."""
