"""A finished study as an RO-Crate: what was run, on what, with what result, in terms that other tools read."""
