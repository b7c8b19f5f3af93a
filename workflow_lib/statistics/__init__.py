"""Tests, corrections, intervals and effect sizes over the scores of one dataset."""
