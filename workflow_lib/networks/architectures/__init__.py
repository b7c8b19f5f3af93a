"""The architectures: each file of this folder is one, which is found by its name."""
