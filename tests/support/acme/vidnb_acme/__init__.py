"""Acme Video for vidnb: a provider, its models and its emulation."""
