"""Two demos: a real training job on three providers, one of which is lost on the way; and a real model, served by two.

Here live the training program (`train`) and the model's server (`llama`) that stand for a user's own, and the stories
around them. Nothing of the house depends on this package.
"""
