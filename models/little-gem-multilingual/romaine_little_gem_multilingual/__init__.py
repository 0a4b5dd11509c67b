"""The files of little-gem-multilingual; romaine finds them by an entry point and imports nothing."""
