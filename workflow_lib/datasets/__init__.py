"""Datasets: where the files of each format lie, how to get them, and whether they are sound."""
