"""The tables of the paper, and the comparison of published values with those of the study."""
