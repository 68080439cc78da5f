"""The command `perspicax`."""
