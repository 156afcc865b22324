"""GLUE and IMDB scores, operation counts and energy: `glue-eval`, `energy-report`."""
