"""Asking a policy for the next trials, in a process of its own, and telling it what came out."""
