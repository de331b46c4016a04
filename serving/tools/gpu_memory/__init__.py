"""What a model takes of a GPU's memory. Pure, but for reading a model's folder."""
