"""Metrics per case and class, and the table that holds them."""
