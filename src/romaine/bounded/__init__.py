"""Reading JSON of unknown origin without taking more memory than a file is worth."""
