"""Students as C on emulated microcontrollers: the same logits, and how many instructions."""
