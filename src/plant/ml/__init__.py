"""Embeddings, their quality and the search for nearest skills; importing the package loads none of them."""
