"""Datasets: formats, downloads, inspection of the files, and division of the cases."""
