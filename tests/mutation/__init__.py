"""Mutations: each removes one guard of the product, and some quick test must fail of it."""
