"""The workflow tier's checkout, for tests that kill things or take real data."""

from tests.workflow.conftest import checkout, finished, finished_copy

__all__ = ["checkout", "finished", "finished_copy"]
