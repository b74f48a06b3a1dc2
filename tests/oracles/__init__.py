"""Slow and plain second implementations, written from the semantics alone, that the fast ones are tested against."""
