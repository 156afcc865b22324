"""Operations, bytes and modelled energy of a student file: `energy-report` (docs/ENERGY.md).

`graph` reads the file, `formulas` and `float_formulas` count what its operators execute, `traffic`
what they move, `variants` puts other attentions and number types in; `figures` has the energy of an
operation, `memory` that of a byte. `comparison`, `sweep`, `sensitivity` and `dataset` make the
report's numbers, `powercap` measures, `text`, `page` and `spreadsheet` show them.
"""
