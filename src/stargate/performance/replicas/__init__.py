"""Replicas of a served model: how many carry a traffic within its latencies, spares included; their cost and energy."""
