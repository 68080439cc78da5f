"""Perspicax: an independent implementation of the JAX API whose errors explain themselves."""
