"""Pictures: plots, slices with findings, molecule grids."""
