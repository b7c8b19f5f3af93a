"""Datasets as people have them, damaged in random ways, and what an independent reading says of each.

`python -m tests.hostile` makes 1440 datasets of all formats with one or two alterations each. The steps `obtain`, `inspect` and
`check` read them, and every accepted case is compared with nibabel, SimpleITK and Pillow. With a seed, it makes only that one.
"""
