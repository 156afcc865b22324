# The student for microcontrollers on emulated boards: docs/MCU.md. Everything else is in README.md.
PYTHON ?= python3

test-mcu:
	$(PYTHON) -m pytest -q -rs tests/test_c_kernels.py tests/test_mcu.py

.PHONY: test-mcu
