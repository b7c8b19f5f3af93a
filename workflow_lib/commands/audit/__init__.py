"""Verify a folder of results by recomputing them. The content of the folder is treated as untrusted."""
