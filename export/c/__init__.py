"""A student as a C99 project for microcontrollers."""
