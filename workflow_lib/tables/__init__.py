"""The tables of the paper, and the published values compared with those of the study."""
