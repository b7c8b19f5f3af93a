"""Describe a finished study as an RO-Crate: jobs, inputs and results in a vocabulary that other tools read."""
