"""The demo: one real training job on three providers, one of which is lost on the way.

Here live the training program that stands for a user's own (`train`) and the story around it. Nothing of the
house depends on this package.
"""
