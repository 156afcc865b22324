"""The arithmetic, its engines and `infer`."""
