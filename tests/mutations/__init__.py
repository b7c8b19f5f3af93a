"""Mutation tests: faults that are put into the code, and the tests that must detect them.

The faults are listed in catalogue/*.toml, one table each. `python -m tests.mutations` puts them, one at a time, into a copy of
the repository and runs the tests that must detect them.
"""
