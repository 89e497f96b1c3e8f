"""The emulated OpenRouter."""
