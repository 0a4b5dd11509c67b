"""The files of oakleaf; romaine finds them by an entry point and imports nothing."""
