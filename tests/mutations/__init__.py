"""The code broken on purpose: which faults the tests find, and which tests find them.

The faults stand in catalogue/*.toml, one table each. `python -m tests.mutations` puts them in, one at a time, into a copy of the
repository and runs there the tests that must find them.
"""
