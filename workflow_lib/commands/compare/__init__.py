"""Two folders of results side by side. Neither is trusted, and nothing that lies in them is run."""
