"""Properties learnt from structures: tables, message passing, gradient boosting, calibration, applicability domain."""
