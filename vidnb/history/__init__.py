"""The jobs of a data folder as rows, and what a person says of them."""
