"""From a trained student to one ONNX file of integers: `export-onnx`."""
