"""Backends: one runtime a file, each imported only when a model needs it."""
