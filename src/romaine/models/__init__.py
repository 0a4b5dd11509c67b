"""Models: what is known about them, where their files are, and whether those can be trusted."""
