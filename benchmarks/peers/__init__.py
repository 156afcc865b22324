"""The models that are compared: each gives logits of token ids."""
