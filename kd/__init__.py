"""Inhibitor attention for PyTorch, teachers, losses and the distillation stages."""
