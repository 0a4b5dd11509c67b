"""The roleplay memory: what was said, found again."""
