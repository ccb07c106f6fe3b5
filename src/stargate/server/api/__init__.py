"""The HTTP API of the server: one module for each kind of thing, and what stands before and behind them.

A route reads its request, asks the house and shows what came of it. Nothing is decided here: the broker decides,
`access` says who may ask.
"""
