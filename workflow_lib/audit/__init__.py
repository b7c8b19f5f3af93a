"""Is a folder of results what it says it is? Nothing in the folder is trusted."""
