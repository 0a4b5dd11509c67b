"""`romaine serve`: the models and the memory over HTTP, in the shapes that other programs' clients speak."""
