"""Telling whether a folder of results is what it says it is. Nothing in the folder is trusted."""
