"""Learning from search: a network is taught what a search thinks of every placement that it meets."""
