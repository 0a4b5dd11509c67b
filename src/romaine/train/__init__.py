"""Recipes that train models (extra `train`)."""
