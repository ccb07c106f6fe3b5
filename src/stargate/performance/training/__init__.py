"""Training: how a model is laid out over chips, the time of one step, and what measured rows say of it."""
