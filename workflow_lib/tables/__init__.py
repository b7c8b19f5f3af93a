"""The tables of the paper, and what was published beside what was found."""
