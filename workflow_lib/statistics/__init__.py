"""Tests, corrections, intervals and effect sizes for the scores of one dataset."""
