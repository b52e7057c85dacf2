"""A network with its settings: built, stored, loaded."""
