"""The evaluator: distributions of the frames to clear. `config`, `data` (games), `train`, `losses`, `calibration`."""
