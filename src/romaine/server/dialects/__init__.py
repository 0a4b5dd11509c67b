"""One file per client's shape."""
